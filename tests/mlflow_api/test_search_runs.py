"""`runs/search` finds and sorts what its own answers show, on both databases."""

import unicodedata
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import make
from tests.mlflow_api.search_world import Door, build, in_order, matches, uids
from tests.search import world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.data,
    pytest.mark.usefixtures("lasting_people", "lasting_workspace"),
]

TEXTS = [unicodedata.normalize("NFC", text) for text in world.TEXTS if "'" not in text]
TEXT = st.sampled_from([*TEXTS, "", "alice", "Bob", "x" * 2_000, "x" * 2_000 + "end"])
PATTERN = st.sampled_from(
    [
        *(*TEXTS, "", "%", "_", "%s%", "Res%", "res%", "%NET%", "_es", "%\\_%", "%[a]%", "gr%"),
        *("%%E%", "x%end", "%x", "%ss%", "% %", "?", "*", "%t", "a__", "50\\%", "mlflow-art%"),
    ]
)
NAMES = {"parameter": world.KEYS, "metric": world.METRICS}
NAMES["tag"] = (
    *(*world.KEYS, "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId", "mlflow.user"),
    *("long", "nowhere"),
)
NUMBERS = st.sampled_from(["0", "0.5", "5", "-1", "1e-4", ".5", "1e308", "-1e308", "1E300", "3."])
PREFIX = {"parameter": "params", "metric": "metrics", "tag": "tags", "attribute": "attributes"}


@pytest.fixture(scope="module")
def lasting_ids(lasting_lab: Any, everybody: Any) -> list[str]:
    return build(lasting_lab, everybody)


@pytest.fixture
def ids(lasting_ids: list[str], put_back: None) -> list[str]:
    """Of the experiments to search."""
    return lasting_ids


@st.composite
def clauses(draw: Any) -> Any:
    """A clause, and the text of it."""
    kind = draw(st.sampled_from(["attribute", "metric", "parameter", "tag"]))
    if kind == "attribute":
        return draw(attributes())
    key = draw(st.sampled_from(NAMES[kind]))
    written = f"{PREFIX[kind]}.`{key}`"
    if kind == "metric":
        sign, number = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="])), draw(NUMBERS)
        return (kind, key, sign, float(number)), f"{written} {sign} {number}"
    sign = draw(st.sampled_from(["=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"]))
    if sign.startswith("IS"):
        return (kind, key, sign, None), f"{written} {sign}"
    return text_clause(draw, kind, key, sign, written)


def text_clause(draw: Any, kind: str, key: str, sign: str, written: str) -> Any:
    text = draw(PATTERN if sign.endswith("LIKE") else TEXT)
    return (kind, key, sign, text), f"{written} {sign} '{text}'"


@st.composite
def attributes(draw: Any) -> Any:
    key = draw(st.sampled_from(["run_id", "run_name", "user_id", "status", "artifact_uri"]))
    if draw(st.integers(0, 3)) == 0:
        key = draw(st.sampled_from(["start_time", "end_time"]))
        ms = int(world.NOW.timestamp() * 1000) + draw(st.sampled_from([-3_600_000, 30_000, 0, 1]))
        sign = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
        return ("attribute", key, sign, ms), f"{key} {sign} {ms}"
    sign = draw(st.sampled_from(["=", "!=", "LIKE", "ILIKE"]))
    if key == "status" and sign in ("=", "!="):
        text = draw(st.sampled_from(["RUNNING", "FINISHED", "KILLED", "running", "SCHEDULED"]))
        return ("attribute", key, sign, text), f'status {sign} "{text}"'
    if key == "run_id" and sign in ("=", "!="):
        ids = tuple(draw(st.lists(st.sampled_from(["my-run_5", "my-run_50", "no"]), min_size=1)))
        sign = "IN" if sign == "=" else "NOT IN"
        listed = ", ".join(f"'{one}'" for one in ids)
        return ("attribute", key, sign, ids), f"attributes.run_id {sign} ({listed})"
    return text_clause(draw, "attribute", key, sign, key)


@st.composite
def orders(draw: Any) -> tuple[list[tuple[str, str, bool]], list[str]]:
    keys: dict[tuple[str, str], bool] = {}
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["metric", "metric", "parameter", "tag", "attribute"]))
        names = NAMES.get(kind) or ("start_time", "end_time", "status", "run_id", "user_id")
        keys[(kind, draw(st.sampled_from(names)))] = draw(st.booleans())
    texts = [
        f"{PREFIX[kind]}.`{key}`{' DESC' if down else ' ASC'}" for (kind, key), down in keys.items()
    ]
    return [(kind, key, down) for (kind, key), down in keys.items()], texts


def check(door: Door, ids: list[str], asked: Any, order: Any) -> None:
    """A search, whole and in pages, against the same in Python."""
    everything = door.search(experiment_ids=ids)
    body = {"filter": " AND ".join(text for _, text in asked), "order_by": order[1]}
    kept = [run for run in everything if all(matches(run, clause) for clause, _ in asked)]
    expected = in_order(kept, order[0])
    found = uids(door.search(experiment_ids=ids, **body))
    assert sorted(found) == sorted(expected), body
    is_by_text = any(kind in ("parameter", "tag") or "user" in key for kind, key, _ in order[0])
    if connection.vendor == "sqlite" or not is_by_text:
        # PostgreSQL sorts texts as its locale does.
        assert found == expected, body
    assert door.pages(7, experiment_ids=ids, **body) == found, body


def test_a_search_finds_and_sorts_what_the_answers_show(
    ids: list[str], workspace: Any, people: Any
) -> None:
    door = Door(people.carol, workspace)

    @settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(st.lists(clauses(), max_size=3), orders(), st.integers(1, 4))
    def try_one(asked: Any, order: Any, n: int) -> None:
        check(door, ids[:n], asked, order)

    try_one()


def test_walks_and_sorts_give_the_same_pages(
    ids: list[str], workspace: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.mlflow_api import run_pages
    from studio.search import apply, choosing, scope

    door = Door(people.carol, workspace)
    monkeypatch.setattr(run_pages, "FEW", 1)
    monkeypatch.setattr(scope, "FEW", 1)

    @settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(
        st.lists(clauses(), max_size=2),
        orders(),
        st.integers(1, 4),
        st.sampled_from([0, 10**9]),
        st.sampled_from([0, 10**9]),
        st.sampled_from([50, 10**9]),
    )
    def try_one(asked: Any, order: Any, n: int, cost: int, lookup: int, a_page: int) -> None:
        monkeypatch.setattr(choosing, "COST_OF_SORTING", cost)
        monkeypatch.setattr(scope, "COST_OF_LOOKUP", lookup)
        # Of a page as long as that, reading begins at a list wherever there is one.
        monkeypatch.setattr(apply, "A_PAGE", a_page)
        check(door, ids[:n], asked, order)

    try_one()


def test_datasets_are_asked_for_clause_by_clause(
    ids: list[str], workspace: Any, people: Any
) -> None:
    door = Door(people.carol, workspace)

    def n(text: str) -> int:
        return len(door.search(experiment_ids=ids, filter=text))

    some = n("dataset.name = 'iris'")
    assert 0 < some < n("datasets.name ILIKE 'IRIS'") <= n("dataset.name LIKE '%'")
    assert n("dataset.name LIKE '50%'") == n("dataset.digest IN ('d2', 'x')") > 0
    assert n("dataset.name = 'iris' AND dataset.context = 'train'") == some
    assert n("dataset.context = 'train' AND dataset.digest = 'd1'") > 0
    assert n("dataset.name NOT IN ('iris', 'Iris', '50%')") == 0


def test_views_arguments_and_tokens(ids: list[str], workspace: Any, people: Any) -> None:
    from studio.runs.models import Experiment

    door = Door(people.carol, workspace)
    every = uids(door.search(experiment_ids=ids, run_view_type="ALL"))
    live = uids(door.search(experiment_ids=[*ids, ids[0], "999999"]))
    gone = uids(door.search(experiment_ids=ids, run_view_type="DELETED_ONLY"))
    assert gone
    assert len(every) == 60
    assert sorted(live + gone) == sorted(every)
    Experiment.objects.filter(pk=int(ids[0])).update(archived_at=world.NOW)
    assert len(door.search(experiment_ids=ids, run_view_type="DELETED_ONLY")) > len(gone)
    assert door.search(experiment_ids=[ids[0]]) == []
    nothing: tuple[dict[str, Any], ...] = (
        {},
        {"experiment_ids": []},
        {"experiment_ids": ["999999"]},
    )
    for body in nothing:
        assert door.post("runs/search", **body) == (200, {})
    odd = ("9" * 5_000, "²", [], {}, None, 7, True, "EVERYTHING")
    for view in odd:
        assert uids(door.search(experiment_ids=ids, run_view_type=view)) == uids(
            door.search(experiment_ids=ids)
        ), view
    code, page = door.post("runs/search", experiment_ids=ids, max_results="5")
    token = page["next_page_token"]
    for body in (
        *({"max_results": n} for n in (0, -1, 50_001, "x")),
        *({"page_token": text} for text in ("zzz", "!!", "é", token[:-3] + "AAA", token[3:])),
        {"page_token": token, "filter": "metrics.loss > 0"},
        {"page_token": token, "order_by": ["metrics.loss"]},
        {"page_token": token, "experiment_ids": ids[:2]},
        {"page_token": token, "run_view_type": "ALL"},
        *({"experiment_ids": wrong} for wrong in (["abc"], ["-1"], "1", [1])),
        *({"order_by": wrong} for wrong in (["x"], ["metrics.a", "metrics.a DESC"], [""], "é")),
        {"filter": "nonsense"},
        {"filter": 5},
    ):
        code, found = door.post("runs/search", **{"experiment_ids": ids, **body})
        assert (code, found["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), body
    code, found = door.post("runs/search", experiment_ids=ids, page_token=token)
    assert (code, uids(found["runs"])) == (200, uids(door.search(experiment_ids=ids))[5:])


def test_nobody_finds_runs_of_another_workspace(
    ids: list[str], workspace: Any, people: Any
) -> None:
    elsewhere = make.workspace("elsewhere", owner=people.dave, contributor=people.bob)
    assert Door(people.dave, elsewhere).search(experiment_ids=ids) == []


def test_a_page_takes_the_same_queries_whatever_its_size(
    ids: list[str], workspace: Any, people: Any, django_assert_max_num_queries: Any
) -> None:
    door = Door(people.carol, workspace)
    # Notes that the token was used, once a minute.
    door.post("runs/search", experiment_ids=ids, max_results=1)
    for most, body in (
        (15, {}),
        (14, {"experiment_ids": ids[:1]}),
        (20, {"filter": "tags.quality = 'yes' AND metrics.loss > 0 AND status = 'FINISHED'"}),
        (18, {"order_by": ["metrics.loss DESC"]}),
        (19, {"filter": "params.lr LIKE '%5%'"}),
    ):
        for size in (1, 20, 1_000):
            with django_assert_max_num_queries(most):
                door.post("runs/search", **{"experiment_ids": ids, "max_results": size, **body})


def test_a_large_answer_comes_in_pieces_and_is_the_same(
    ids: list[str], workspace: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.mlflow_api import run_search

    door = Door(people.carol, workspace)
    for body in ({"experiment_ids": ids, "max_results": 30}, {"experiment_ids": ids}):
        whole = door.post("runs/search", **body)
        with monkeypatch.context() as patch:
            patch.setattr(run_search, "AT_ONCE", 7)
            assert door.post("runs/search", **body) == whole


def test_users_are_found_and_sorted_as_runs_show_them(people: Any) -> None:
    own = make.workspace("own", owner=people.alice, contributor=people.bob)
    experiment = make.experiment(own)
    door = Door(people.bob, experiment.workspace)
    ids = [str(experiment.pk)]
    for name, told in (
        ("property", {"user_id": "ada"}),
        ("both", {"user_id": "zoe", "tags": [{"key": "mlflow.user", "value": "ada"}]}),
        ("tag", {"tags": [{"key": "mlflow.user", "value": "carl"}]}),
        ("neither", {}),
    ):
        door.post("runs/create", experiment_id=ids[0], run_name=name, **told)
    shown = {r["info"]["run_name"]: r["info"]["user_id"] for r in door.search(experiment_ids=ids)}
    assert shown == {"property": "ada", "both": "zoe", "tag": "carl", "neither": "bob"}
    for name, user in shown.items():
        found = door.search(experiment_ids=ids, filter=f"user_id = '{user}'")
        assert [run["info"]["run_name"] for run in found] == [name]
    found = door.search(experiment_ids=ids, order_by=["user_id DESC"])
    assert [run["info"]["user_id"] for run in found] == ["zoe", "carl", "bob", "ada"]
