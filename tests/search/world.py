"""Sixty runs with everything a search can ask about, and the same as plain facts."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import make
from tests.search.reference import STATUSES, Facts

NOW = datetime(2026, 11, 21, 4, 30, 15, tzinfo=UTC)
TEXTS = (
    *("resnet", "ResNet-50", "GRÖSSE", "größe", "Straße", "ΣΊΣΥΦΟΣ", "Σίσυφος", "模型一", "İzmir"),
    *("100%", "a_b", "a\\b", 'say "hi"', "it's", "x OR y", "NEAR(a b)", "*", "🚀 launch"),
    *("yes", "5", "0.5", "5e-1", "nan", "inf", "café", "e\u0301", "-1", "abcdef", "ſ"),
    *("vision", "failed", "\u212a"),
)
KEYS = ("quality", "note", "größe", "a.b/c", "worth another look", "lr", "Q")
METRICS = ("loss", "val/acc", "größe", "mode")
NUMBERS = (0.0, 0.5, -1.0, 5.0, 1e-4, 1e300, math.nan, math.inf, -math.inf)
EXPERIMENTS = ("vision", "Vision", "größen", "a-b_c")
TERMINAL = ("Completed", "Failed", "Canceled")


def build(workspace: Any, people: Any, *, n: int = 60, seed: int = 7) -> list[Facts]:
    """Store `n` runs of the workspace; returns their facts."""
    from studio.compute.models import Target
    from studio.runs import families

    pick = random.Random(seed)
    experiments = [make.experiment(workspace, name) for name in EXPERIMENTS]
    target = Target.objects.get(name="local")
    runs: list[Any] = []
    facts: list[Facts] = []
    for i in range(n):
        parent = pick.choice(range(i)) if i > 10 and pick.random() < 0.2 else None
        fact = _facts(pick, i, parent=None if parent is None else facts[parent].uid)
        runs.append(_store(fact, experiments, people, target, runs[parent] if parent else None))
        if parent is not None:
            facts[parent].n_children += 1
            families.add_children(runs[parent], 1)
        facts.append(fact)
    return facts


def _facts(pick: random.Random, i: int, *, parent: str | None) -> Facts:
    status = pick.choice(list(STATUSES))
    created = NOW - timedelta(hours=pick.choice([0, 1, 5, 30, 24 * 7, 24 * 40]), seconds=i)
    started = created + timedelta(seconds=30) if pick.random() < 0.8 and i else None
    ended = created + timedelta(minutes=3) if status in TERMINAL else None
    took = (ended - started).total_seconds() if started and ended else None
    return Facts(
        uid=f"{pick.getrandbits(128):032x}" if i % 5 else f"my-run_{i}",
        name=pick.choice(TEXTS),
        number=i + 1,
        type=pick.choice(["interactive", "script", "pipeline", "step"]),
        status=status,
        experiment=pick.choice(EXPERIMENTS),
        submitter=pick.choice(["alice", "bob", None]),
        target=pick.choice(["local", None]),
        created_at=created,
        started_at=started,
        ended_at=ended,
        duration_s=took,
        parent=parent,
        n_children=0,
        starred=pick.random() < 0.3,
        archived=pick.random() < 0.2,
        description=pick.choice(["", "", *TEXTS]),
        tags={key: pick.choice([None, "", *TEXTS]) for key in pick.sample(KEYS, pick.randrange(4))},
        properties={key: pick.choice(TEXTS) for key in pick.sample(KEYS, pick.randrange(3))},
        params={key: pick.choice(TEXTS) for key in pick.sample(KEYS, pick.randrange(4))},
        metrics=_metrics(pick),
    )


def _metrics(pick: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in pick.sample(METRICS, pick.randrange(4)):
        if name == "mode":
            found[name] = (pick.choice(TEXTS), None, None)
            continue
        values = pick.sample(NUMBERS, 3)
        finite = [value for value in values if math.isfinite(value)]
        found[name] = (values[-1], min(finite, default=None), max(finite, default=None))
    return found


def _store(fact: Facts, experiments: list[Any], people: Any, target: Any, parent: Any) -> Any:
    from studio.runs import searchtext
    from studio.runs.limits import as_number
    from studio.runs.models import Description, Parameter, Property, Run, Star, Tag

    experiment = next(one for one in experiments if one.name == fact.experiment)
    workspace = experiment.workspace
    run = Run.objects.create(
        workspace=workspace,
        experiment=experiment,
        uid=fact.uid,
        number=fact.number,
        display_name=_nfc(fact, "name"),
        type=fact.type,
        status=fact.status,
        submitter=getattr(people, fact.submitter) if fact.submitter else None,
        target=target if fact.target else None,
        created_at=fact.created_at,
        started_at=fact.started_at,
        ended_at=fact.ended_at,
        duration_s=fact.duration_s,
        parent=parent,
        root=(parent.root or parent) if parent else None,
        archived_at=NOW if fact.archived else None,
    )
    if _nfc(fact, "description"):
        Description.objects.create(run=run, text=fact.description)
    if fact.starred:
        Star.objects.create(user=people.bob, run=run)
    for model, held in ((Tag, "tags"), (Property, "properties"), (Parameter, "params")):
        for key, value in _nfc(fact, held).items():
            more = {"number": as_number(value)} if model is Parameter else {}
            model.objects.create(workspace=workspace, run=run, key=key, value=value, **more)
    _store_metrics(fact, workspace, run)
    searchtext.refresh(run)
    return run


def _nfc(fact: Facts, name: str) -> Any:
    """Bring texts into the form the actions store, in the facts too."""
    from studio.runs.limits import clean_text

    held = getattr(fact, name)
    if isinstance(held, dict):
        held = {k: v and clean_text(v, field=name, most=5_000) for k, v in held.items()}
    else:
        held = clean_text(held, field=name, most=5_000)
    setattr(fact, name, held)
    return held


def _store_metrics(fact: Facts, workspace: Any, run: Any) -> None:
    from studio.metrics.models import Metric
    from studio.metrics.summary import Series, add_to

    for name, (last, low, high) in fact.metrics.items():
        is_text = isinstance(last, str)
        metric = Metric(
            workspace=workspace, run=run, name=name, kind="text" if is_text else "scalar"
        )
        values = [last] if is_text else [v for v in (low, high) if v is not None] + [last]
        steps = list(range(len(values)))
        add_to(metric, Series(name, metric.kind, steps, [float(s) for s in steps], values))
        metric.save()
