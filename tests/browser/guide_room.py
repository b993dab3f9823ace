"""A workspace as the guide's pictures show it: the same names, numbers and distances in time
whenever it is made."""

import hashlib
import io
import math
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from studio.alerts.actions import create_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.artifacts.actions import put_artifact
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.custom_views.sharing import pin_view
from studio.runs import actions
from studio.runs.actions.annotate import add_properties
from studio.runs.models import Run
from tests import make
from tests.browser.charting import log, scalars
from tests.web.viewing import view_of

DESCRIPTION = """## What this run is for

The baseline of the *vision* group: ResNet-50 from scratch, no tricks.

| Split | Images | Accuracy |
|---|---|---|
| train | 48,000 | 0.941 |
| validation | 6,000 | 0.902 |

- [x] three seeds
- [ ] longer warm-up
"""
VISION = ("resnet-50 baseline", "resnet-50, cosine", "resnet-101", "vit-small")
FILES = {
    "outputs/model.json": b'{"layers": 50, "classes": 10, "input": [224, 224, 3]}\n',
    "outputs/predictions.csv": b"image,label,score\n"
    + b"".join(b"img_%04d.png,%d,0.%d\n" % (i, i % 10, 99 - i) for i in range(40)),
    "outputs/plots/readme.md": b"# Plots\n\nOne picture an epoch.\n",
}


@dataclass
class Room:
    """What the pictures are of; each run by its name."""

    runs: dict[str, Run]
    view: Any
    rule: Any


def curve(seed: int, start: float, end: float, n: int = 160) -> list[float]:
    chance = random.Random(seed)
    fall = [math.exp(-4 * step / n) for step in range(n)]
    return [end + (start - end) * part + chance.random() * 0.04 for part in fall]


def named(experiment: Any, name: str, **facts: Any) -> Run:
    """A run whose id, and so its colour, is always the same."""
    uid = hashlib.sha256(name.encode()).hexdigest()[:32]
    run: Run = make.run(experiment, display_name=name, uid=uid, **facts)
    return run


def trained(experiment: Any, name: str, seed: int, **facts: Any) -> Run:
    """A run with two curves: the greater the seed, the less it learned."""
    run = named(experiment, name, **facts)
    loss = curve(seed, 2.3, 0.2 + 0.06 * seed)
    log(run, scalars("loss", loss), scalars("accuracy", [1 - value / 2.6 for value in loss]))
    return run


def fill(workspace: Any, people: Any) -> Room:
    """A few weeks of three people's work; alice looks at it."""
    vision, speech = (make.experiment(workspace, name) for name in ("vision", "speech"))
    runs: dict[str, Run] = {}
    for i, name in enumerate(VISION):
        tags = {"model": name.split("-")[0], "quality": ("good", "good", "great", "poor")[i]}
        facts = {"parameters": {"lr": str(0.1 / 2**i), "batch": str(64 * (i + 1))}, "tags": tags}
        runs[name] = trained(vision, name, i, by=people.alice if i % 2 else people.bob, **facts)
    for i, name in enumerate(("conformer", "conformer, long")):
        facts = {"parameters": {"lr": "0.003", "batch": "32"}, "tags": {"model": "conformer"}}
        runs[name] = trained(speech, name, 4 + i, **facts)
    _sweep(vision, people, runs)
    _pipeline(speech, runs)
    runs["vit-small, broken"] = trained(vision, "vit-small, broken", 7, tags={"model": "vit"})
    _end(runs)
    _details(runs["resnet-50 baseline"], people)
    _tell_time(runs)
    _machine(Run.objects.get(pk=runs["resnet-50 baseline"].pk))
    columns = "name,status,tag.quality,param.lr,metric.loss:min"
    state = {"q": "tag.quality:good|great", "columns": columns}
    view = view_of(workspace, people.alice, state, name="Good ones", everyone="see")
    pin_view(view, by=make.actor(people.alice), pinned=True)
    draft = RuleDraft(
        "Broken trainings",
        query="experiment:vision",
        statuses=("Failed", "NotResponding"),
        addresses=(Address("email", user="alice"),),
    )
    rule = create_rule(workspace, draft, by=make.actor(people.alice), is_shared=True)
    return Room(runs, view, rule)


def _sweep(experiment: Any, people: Any, runs: dict[str, Run]) -> None:
    parent = named(experiment, "lr sweep", tags={"purpose": "search"})
    goal = {"primary_metric": "loss", "primary_metric_goal": "minimize"}
    add_properties(parent, goal, by=make.actor(people.bob))
    runs["lr sweep"] = parent
    for i in range(6):
        name = f"trial {i}"
        parameters = {"lr": str(round(0.02 * (i + 1), 2)), "layers": str(18 + 16 * (i % 3))}
        runs[name] = trained(experiment, name, (i * 3) % 7, parent=parent, parameters=parameters)


def _pipeline(experiment: Any, runs: dict[str, Run]) -> None:
    whole = named(experiment, "nightly corpus", type="pipeline")
    runs["nightly corpus"] = whole
    wanted: dict[str, list[str]] = {
        "prepare": [],
        "train small": ["prepare"],
        "train large": ["prepare"],
        "evaluate": ["train small", "train large"],
    }
    for name, needs in wanted.items():
        after = [runs[one].uid for one in needs]
        step = named(experiment, name, parent=whole, type="step", depends_on=after)
        runs[name] = step


def _end(runs: dict[str, Run]) -> None:
    going = {"resnet-101", "nightly corpus", "train large", "evaluate", "lr sweep", "trial 5"}
    for name, run in runs.items():
        by = make.actor(run.submitter)
        if name == "vit-small, broken":
            said = "RuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB"
            actions.fail_run(run, by=by, error={"message": said}, reason=said)
        elif name not in going:
            actions.complete_run(run, by=by)


def _details(run: Run, people: Any) -> None:
    bob = make.actor(people.bob)
    actions.describe_run(run, DESCRIPTION, by=bob)
    for path, data in FILES.items():
        put_artifact(run, path, io.BytesIO(data), by=bob)
    lines = ["loading 48,000 images", "ResNet-50, 25.6 million weights", "training on gpu 0"]
    for epoch in range(1, 81):
        loss = 0.2 + 2 * math.exp(-epoch / 20)
        lines.append(f"epoch {epoch:3d}/80  loss {loss:.4f}  accuracy {1 - loss / 2.6:.4f}")
        if epoch == 31:
            lines.append("WARNING learning rate halved: no gain in three epochs")
        if epoch == 52:
            lines.append("ERROR image img_2071.png can't be read; left out")
    append_log(run, MAIN_LOG, 0, "\n".join([*lines, ""]).encode(), by=bob)


def _machine(run: Run) -> None:
    """Samples every 5 s from the run's start to its end."""
    assert run.started_at
    assert run.duration_s
    chance = random.Random(11)
    began, n = run.started_at.timestamp(), int(run.duration_s // 5)

    def series(key: str, level: float, spread: float, n: int = n) -> dict[str, Any]:
        values = [level * min(1, (i + 2) / 6) + spread * chance.random() for i in range(n)]
        steps = [5 * i for i in range(n)]
        times = [began + step for step in steps]
        name = f"system/gpu-box/{key}"
        return {"name": name, "kind": "scalar", "steps": steps, "times": times, "values": values}

    log(
        run,
        series("cpu_percent", 310, 60),
        series("host_cpu_percent", 420, 80),
        series("memory_bytes", 6.2e9, 2e8),
        series("host_memory_used_bytes", 14e9, 3e8),
        series("gpu/0/utilization_percent", 90, 9),
        series("gpu/0/memory_used_bytes", 11e9, 1e8),
        series("cpu_count", 48, 0, n=1),
    )


def _tell_time(runs: dict[str, Run]) -> None:
    """As if the runs had come one after another, the last of them some minutes ago."""
    now = timezone.now()
    for i, run in enumerate(reversed(runs.values())):
        began = now - timedelta(minutes=12.5 + 150 * i)
        took_s = 280.0 + 95 * (i % 5)
        times = {"created_at": began, "started_at": began}
        found = Run.objects.get(pk=run.pk)
        if found.is_terminal:
            ended = began + timedelta(seconds=took_s)
            times |= {"ended_at": ended, "status_at": ended, "duration_s": took_s}
        Run.objects.filter(pk=run.pk).update(**times)
