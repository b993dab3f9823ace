"""The tree as SQL finds the same runs as the plain reference, on both databases."""

import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.search.apply import apply
from studio.search.fields import FIELDS, ORDER
from studio.search.tree import (
    FLAGS,
    LIST_OPS,
    NAMED_KEYS,
    PLAIN_KEYS,
    Key,
    Op,
    Term,
    Word,
    all_of,
    any_of,
    negate,
)
from tests.amount import form
from tests.search import world
from tests.search.reference import STATUSES, matches

pytestmark = [pytest.mark.django_db, pytest.mark.data]

TEXT = st.sampled_from(
    [unicodedata.normalize("NFC", text) for text in world.TEXTS]
    + ["Res", "net", "ss", "ß", "σ", "模型", "hi", "%", "_", "\\", '"', "50", "zzz", "O", "look"]
)
NUMBER = st.sampled_from(["0", "0.5", "5", "-1", "1e-4", "inf", "-inf", "1e400", "3", "5e-1"])
MOMENT = st.sampled_from(["2026-11-21", "2026-11", "today", "yesterday", "2026-11-20T22:30"])
INSTANT = st.sampled_from(["now", "-1h", "-7d", "-2h30m", "-20d", "-36500d"])
DURATION = st.sampled_from(["0", "149s", "2m30s", "150.5s", "1h", "1w", "90000000000w"])
UIDS = st.sampled_from(["my", "my-run_5", "my-run_50", "a", "ab", "abcdef", "no such"])


def values_of(key: Key, op: Op) -> st.SearchStrategy[str]:
    family, is_order = key.family, op in (*ORDER[2:],)
    if family in ("submitted", "started", "ended"):
        return MOMENT | INSTANT if is_order else MOMENT
    if family == "duration":
        return DURATION
    if family == "number":
        return st.sampled_from(["1", "7", "30", "-3", "99999999999999", "inf"])
    if family == "children":
        return st.sampled_from(["0", "1", "2", "-1", "5000000000"])
    if family in ("param", "metric") and (is_order or key.stat):
        return NUMBER
    if family == "metric":
        return NUMBER | TEXT
    fixed = {
        "status": [*STATUSES, "failed", "not started"],
        "type": ["script", "Step"],
        "experiment": [*world.EXPERIMENTS, "gone"],
        "submitter": ["alice", "bob", "nobody", "Alice"],
        "target": ["local", "gone"],
        "is": list(FLAGS),
    }
    if family in fixed and op in (Op.EQ, Op.NE):
        return st.sampled_from(fixed[family])
    if family in ("status", "type"):
        return st.sampled_from(["ed", "fail", "s", "in", "zz"])
    if family in ("uid", "parent"):
        return UIDS
    return TEXT | st.just("") if op in (Op.EQ, Op.NE) else TEXT


@st.composite
def terms(draw: Any) -> Term:
    family = draw(st.sampled_from([key for key in (*PLAIN_KEYS, *NAMED_KEYS) if key != "log"]))
    field = FIELDS[family]
    name = draw(st.sampled_from(world.METRICS if family == "metric" else world.KEYS))
    key = Key(family, name if family in NAMED_KEYS else "")
    if field.has and draw(st.integers(0, 9)) == 0:
        return Term(key if draw(st.booleans()) else Key(family), Op.HAS)
    op = draw(st.sampled_from(field.ops))
    if family == "metric" and op not in (Op.CONTAINS, Op.STARTS):
        key = Key(family, name, draw(st.sampled_from(["", "", "min", "max"])))
    one = values_of(key, op)
    if op is Op.RANGE:
        low, high = draw(one), draw(one)
        low, high = draw(st.sampled_from([(low, high), ("", high), (low, "")]))
        return Term(key, op, (low, high))
    return Term(
        key, op, tuple(draw(st.lists(one, min_size=1, max_size=3 if op in LIST_OPS else 1)))
    )


NODES = st.recursive(
    terms() | TEXT.map(Word),
    lambda nodes: (
        st.lists(nodes, min_size=2, max_size=3).map(all_of)
        | st.lists(nodes, min_size=2, max_size=3).map(any_of)
        | nodes.map(negate)
    ),
    max_leaves=5,
)


@pytest.fixture
def facts(workspace: Any, people: Any) -> Any:
    return world.build(workspace, people)


def found(workspace: Any, node: Any, user: Any) -> set[str]:
    from studio.runs.models import Run

    runs = apply(Run.objects.of(workspace), node, user=user, now=world.NOW)
    uids = list(runs.values_list("uid", flat=True))
    assert len(uids) == len(set(uids))
    return set(uids)


@pytest.mark.parametrize("few", [1_000, 3])
def test_sql_finds_what_the_plain_reference_finds(
    workspace: Any, people: Any, facts: Any, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `few` = 3 most conditions walk the list, with 1,000 all are looked up first."""
    from studio.search import fulltext, scope

    monkeypatch.setattr(scope, "FEW", few)
    monkeypatch.setattr(fulltext, "FEW", few)

    @settings(
        max_examples=form(150, 2_000),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(NODES)
    def check(node: Any) -> None:
        expected = {fact.uid for fact in facts if matches(fact, node, user="bob", now=world.NOW)}
        assert found(workspace, node, people.bob) == expected

    check()
