"""`experiments/search`, by POST and by GET."""

from datetime import timedelta
from typing import Any

import pytest

from tests import make
from tests.mlflow_api.search_world import Door
from tests.search import world

pytestmark = [pytest.mark.django_db, pytest.mark.data]


def build(workspace: Any, people: Any) -> Door:
    from studio.runs.models import Experiment, ExperimentEvent

    tags: tuple[dict[str, Any], ...] = (
        {"team": "vision"},
        {"team": "Vision", "bare": None},
        {},
        {"a.b c": "50%"},
    )
    for i, name in enumerate(("alpha", "Beta", "größe", "zeta")):
        made = make.experiment(workspace, name)
        moment = world.NOW + timedelta(seconds=i)
        Experiment.objects.filter(pk=made.pk).update(
            created_at=moment,
            tags=tags[i],
            title="α / β" if i == 1 else "",
            description="notes" if i == 2 else "",
            archived_at=world.NOW if i == 3 else None,
        )
    alpha = Experiment.objects.get(workspace=workspace, name="alpha")
    later = moment + timedelta(seconds=1)
    ExperimentEvent.objects.create(
        workspace=workspace, experiment=alpha, kind="name", actor="x", at=later
    )
    return Door(people.carol, workspace)


def names(found: tuple[int, dict[str, Any]]) -> list[str]:
    assert found[0] == 200, found
    return [one["name"] for one in found[1].get("experiments", [])]


def test_experiments_are_found_by_names_ids_times_and_tags(workspace: Any, people: Any) -> None:
    door = build(workspace, people)
    ids = {
        one["name"]: one["experiment_id"]
        for one in door.post("experiments/search", view_type="ALL")[1]["experiments"]
    }
    ms = int(world.NOW.timestamp() * 1000)
    for text, expected in (
        ("", ["größe", "α / β", "alpha"]),
        ("name = 'alpha'", ["alpha"]),
        ("name != 'alpha'", ["größe", "α / β"]),
        ("name LIKE 'GR%'", []),
        ("name ILIKE 'GRÖ%'", ["größe"]),
        ("name LIKE 'α%'", ["α / β"]),
        (f"experiment_id = '{ids['alpha']}'", ["alpha"]),
        (f"experiment_id NOT IN ('{ids['alpha']}', '7777')", ["größe", "α / β"]),
        (f"creation_time <= {ms}", ["alpha"]),
        (f"last_update_time > {ms + 1000} AND name LIKE '%'", ["größe", "alpha"]),
        ("tags.team = 'vision'", ["alpha"]),
        ("tag.team ILIKE 'VIS%'", ["α / β", "alpha"]),
        ("tags.team != 'vision'", ["α / β"]),
        ("tags.bare = ''", ["α / β"]),
        ("tags.bare IS NOT NULL", ["α / β"]),
        ("tags.team IS NULL", ["größe"]),
        ("tags.mlflow.note.content LIKE 'note%'", ["größe"]),
    ):
        assert names(door.post("experiments/search", filter=text, max_results=100)) == expected, (
            text
        )
    asked = {"view_type": "DELETED_ONLY", "filter": "tags.`a.b c` LIKE '50%'"}
    assert names(door.post("experiments/search", **asked)) == ["zeta"]
    assert names(door.get("experiments/search", view_type="ALL", max_results="1")) == ["zeta"]


def test_experiments_come_in_any_order_page_by_page(workspace: Any, people: Any) -> None:
    door = build(workspace, people)
    for order_by, expected in (
        ([], ["zeta", "größe", "α / β", "alpha"]),
        (["creation_time ASC"], ["alpha", "α / β", "größe", "zeta"]),
        (["last_update_time ASC", "experiment_id"], ["α / β", "größe", "zeta", "alpha"]),
        (["experiment_id DESC"], ["zeta", "größe", "α / β", "alpha"]),
    ):
        seen: list[str] = []
        body: dict[str, Any] = {"view_type": "ALL", "order_by": order_by, "max_results": 1}
        while len(seen) < 9:
            answer = door.post("experiments/search", **body)
            seen += names(answer)
            body["page_token"] = answer[1].get("next_page_token", "")
            if not body["page_token"]:
                break
        assert seen == expected, order_by
    token = door.post("experiments/search", max_results=1)[1]["next_page_token"]
    for body in (
        *({"max_results": n} for n in (0, -1, 50_001)),
        {"page_token": token, "order_by": ["name"]},
        {"page_token": "zzz"},
        {"filter": "experiment_id = 'abc'"},
        {"filter": "metrics.m > 1"},
        {"order_by": ["tags.t"]},
        {"order_by": ["foo"]},
    ):
        code, refusal = door.post("experiments/search", **body)
        assert (code, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), body
