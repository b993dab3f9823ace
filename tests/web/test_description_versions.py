"""The pages of a description's versions: read, shown, restored; and the links to them."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment
from studio.runs.actions.keeping import archive_runs
from studio.runs.actions.many import move_runs
from studio.runs.actions.restore_description import restore_description
from studio.runs.models import Description, Experiment, Run
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, read


@pytest.fixture(params=["run", "experiment"])
def held(request: Any, run: Any) -> Any:
    return run if request.param == "run" else run.experiment


def page_of(held: Any) -> str:
    is_run = isinstance(held, Run)
    return f"/w/lab/runs/{held.uid}" if is_run else f"/w/lab/experiments/{held.name}"


def describe(held: Any, by: Any, *texts: str) -> None:
    for text in texts:
        how = actions.describe_run if isinstance(held, Run) else describe_experiment
        how(held, text, by=make.actor(by))


def stored(held: Any) -> tuple[int, str]:
    if isinstance(held, Run):
        row = Description.objects.get(run=held)
        return row.version, row.text
    fresh = Experiment.objects.get(pk=held.pk)
    return fresh.description_version, fresh.description


def test_versions_tell_who_changed_which_lines(
    held: Any, people: Any, carol_client: Client
) -> None:
    describe(held, people.bob, "# Cats\n\nall of them")
    describe(held, people.alice, "# Cats\n\n<b>some</b> of them")

    page = read(carol_client.get(f"{page_of(held)}/description/versions"))

    assert page.text.index("Version 2") < page.text.index("Version 1")
    assert "alice," in page.text
    assert "removed all of them" in page.text
    assert "added <b>some</b> of them" in page.text
    assert len(page.ids()) == len(set(page.ids()))


def test_the_page_the_head_and_the_editor_lead_to_the_versions(
    held: Any, people: Any, bob_client: Client
) -> None:
    where = f"{page_of(held)}/description/versions"
    assert where not in bob_client.get(page_of(held)).content.decode()
    assert "Nobody has described this yet" in read(bob_client.get(where)).text
    # Also when the newest text is empty: the older ones are worth most then.
    describe(held, people.bob, "one", "")

    for place in ("", "/description/edit"):
        links = [own.get("href") for _, own in read(bob_client.get(page_of(held) + place)).elements]
        assert where in links


def test_one_version_is_shown_as_it_looks(held: Any, people: Any, bob_client: Client) -> None:
    describe(held, people.bob, "**bold** <script>x</script>", "two")
    where = f"{page_of(held)}/description/versions"

    show = read(bob_client.get(where)).href(**{"aria-label": "Show version 1"})
    answer = bob_client.get(show)

    assert "<strong>bold</strong>" in answer.content.decode()
    assert "<script>x" not in answer.content.decode()
    assert "added **bold** <script>x</script>" in read(answer).text
    for number in ("0", "3", "9" * 30):
        assert bob_client.get(f"{where}/{number}").status_code == 404


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_version_is_restored(
    held: Any, people: Any, bob_client: Client, headers: dict[str, str]
) -> None:
    describe(held, people.alice, "one", "two")
    where = f"{page_of(held)}/description/versions"
    page = read(bob_client.get(where))
    form = {"version": "1", "expected": page.one("input", name="expected")["value"]}
    assert page.one("button", name="version")["value"] == "1"

    answer = bob_client.post(f"{page_of(held)}/description/restore", form, headers=headers)

    assert answer.get("HX-Redirect") or answer.status_code == 303
    assert (answer.get("HX-Redirect") or answer["Location"]) == page_of(held)
    assert stored(held) == (3, "one")
    assert "brought back" in read(bob_client.get(where)).text


def test_restoring_over_somebodys_text_shows_it_first(
    held: Any, people: Any, bob_client: Client
) -> None:
    describe(held, people.alice, "one", "two", "hers")
    form = {"version": "1", "expected": "2"}
    answer = bob_client.post(f"{page_of(held)}/description/restore", form)

    page = read(answer)
    assert answer.status_code == 409
    assert "alice saved this description meanwhile" in page.text
    assert "added hers" in page.text
    assert stored(held) == (3, "hers")
    form["expected"] = next(
        own["value"] for _, own in page.elements if own.get("name") == "expected"
    )
    assert bob_client.post(f"{page_of(held)}/description/restore", form).status_code == 303


@pytest.mark.parametrize("version", ["", "x", "0", "-1", "9", "9" * 40])
def test_a_version_there_is_not_is_refused_in_words(
    held: Any, people: Any, bob_client: Client, version: str
) -> None:
    describe(held, people.alice, "one", "two")
    answer = bob_client.post(f"{page_of(held)}/description/restore", {"version": version})

    assert answer.status_code == 422
    assert "There is no version" in read(answer).text
    assert stored(held) == (2, "two")


def test_a_reader_sees_why_nothing_can_be_restored(
    held: Any, people: Any, carol_client: Client
) -> None:
    describe(held, people.bob, "one", "two")
    page = read(carol_client.get(f"{page_of(held)}/description/versions"))
    assert "does not allow" in page.one("button", name="version")["title"]

    before = all_rows()
    form = {"version": "1", "expected": "2"}
    answer = carol_client.post(f"{page_of(held)}/description/restore", form)
    assert answer.status_code == 403
    assert not changed_tables(before)


def test_pages_of_versions_follow_each_other(held: Any, people: Any, bob_client: Client) -> None:
    describe(held, people.bob, *(f"text {n}" for n in range(1, 33)))
    where = f"{page_of(held)}/description/versions"

    older = read(bob_client.get(where)).href(rel="next")
    describe(held, people.alice, "meanwhile")
    page = read(bob_client.get(older))

    heads = page.ids("descriptions-version_head-")
    assert [one.rpartition("-")[2] for one in heads] == ["2", "1"]
    assert not [own for _, own in page.elements if own.get("rel") == "next"]
    for odd in ("x", "-1", "9" * 40):
        assert bob_client.get(f"{where}?below={odd}").status_code == 200


def test_the_largest_texts_make_a_page_of_bounded_size(
    run: Any, people: Any, bob_client: Client
) -> None:
    for n in range(4):
        describe(run, people.bob, "\n".join(f"{n}{i}" for i in range(15_000)))

    answer = bob_client.get(f"/w/lab/runs/{run.uid}/description/versions")

    assert len(answer.content) < 200_000
    assert "more lines are left out" in read(answer).text


def test_history_tells_each_kind_of_change_in_words(
    run: Any, people: Any, bob_client: Client, workspace: Any
) -> None:
    by = make.actor(people.alice)
    describe(run, people.alice, "short", "x" * 5_000)
    restore_description(run, 1, by=by)
    actions.cancel_run(run, by=by, reason="enough")
    actions.confirm_canceled(run, by=by)
    move_runs(workspace, [run], by=by, experiment=make.experiment(workspace, "nlp"))
    archive_runs(workspace, [run], by=by)
    api = make.Api(people.alice, workspace)
    raw = "application/octet-stream"
    for data in (b"ab", b"abc"):
        api.send("PUT", f"/runs/{run.uid}/artifacts/outputs/a.bin", data, raw)

    page = read(bob_client.get(f"/w/lab/runs/{run.uid}/history"))

    for words in (
        "Version 1 brought back",
        "… (5,000 characters)",
        "Running became Cancel requested",
        "enough",
        "Experiment vision became nlp",
        "Archived no became yes",
        "outputs/a.bin: 2 bytes",
        "outputs/a.bin: an earlier file became 3 bytes",
    ):
        assert words in page.text
    assert [tag for tag, _ in page.elements].count("details") >= 2


def test_history_goes_back_page_by_page(run: Any, people: Any, bob_client: Client) -> None:
    by = make.actor(people.bob)
    for n in range(150):
        actions.rename_run(run, f"name {n}", by=by)
    address = f"/w/lab/runs/{run.uid}/history"

    first = read(bob_client.get(address))
    second = read(bob_client.get(first.href(rel="next")))

    assert "name 149" in first.text
    assert "name 10" in second.texts
    assert not [own for _, own in second.elements if own.get("rel") == "next"]
    for odd in ("x", "-1", "9" * 40, "9" * 18):
        assert bob_client.get(f"{address}?below={odd}").status_code == 200
