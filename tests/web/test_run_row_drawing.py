"""Rows drawn once: what was drawn before is shown again only where it would be drawn alike."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from markupsafe import Markup

from studio.runs.models import Run, Tag
from studio.runs.rollup import Rollup
from studio.runs.status import Status
from studio.search.columns import parse_columns
from studio.web.jinja import part
from studio.web.run_cells import Shown, cells_of
from studio.web.run_row_drawing import Kept, drawn, looks
from studio.web.run_rows import Row

LIST = "/w/lab/runs"
COLUMNS = "name,experiment,status,tags,submitted,duration,submitter,children,star,tag.a,param.lr"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CHANGES: dict[str, Callable[[Row], Any]] = {
    "as it is": lambda row: None,
    "another name": lambda row: setattr(row.run, "display_name", "<b>other</b>"),
    "queued": lambda row: setattr(row.run, "status", Status.QUEUED),
    "another start": lambda row: setattr(row.run, "started_at", LONG_AGO),
    "another submission": lambda row: setattr(row.run, "created_at", LONG_AGO),
    "ticked": lambda row: setattr(row, "is_chosen", True),
    "below another": lambda row: setattr(row, "depth", 2),
    "read only": lambda row: setattr(row, "can_edit", False),
    "with child runs": lambda row: setattr(row, "rollup", Rollup(3, 1, 1, 0)),
    "with one more": lambda row: setattr(row, "rollup", Rollup(4, 1, 1, 0)),
    "to be opened": lambda row: setattr(row, "toggle_url", "/w/lab/runs?open=x"),
    "another run": lambda row: setattr(row.run, "uid", "f" * 32),
    "tagged": lambda row: Tag.objects.update_or_create(
        run=row.run, key="a", defaults={"workspace": row.run.workspace, "value": "<i>"}
    ),
}


def row_of(run: Run, user: Any, change: Callable[[Row], Any], columns: str) -> Row:
    """A row of the run as it is stored, then changed, its cells read after that."""
    run = Run.objects.select_related("workspace").get(pk=run.pk)
    row = Row(run, [], None, can_edit=True)
    change(row)
    shown = [Shown(column) for column in parse_columns(columns)]
    children = {run.pk: row.rollup} if row.rollup else {}
    row.cells = cells_of([run], shown, user=user, children=children, starred=set())[run.pk]
    return row


def test_a_row_kept_is_the_row_that_would_be_drawn(run: Run, people: Any) -> None:
    seen: dict[str, str] = {}
    for change in CHANGES.values():
        for columns in (COLUMNS, "name,status", "status,name"):
            row = row_of(run, people.bob, change, columns)
            for is_oob in (False, True):
                fresh = part("runs/_row.html", {"row": row, "is_oob": is_oob})
                assert drawn(row, is_oob=is_oob) == fresh
                assert seen.setdefault(looks(row, is_oob=is_oob), fresh) == fresh

    # Each change is seen in a table of all these columns.
    assert len({html for html in seen.values() if "c-param" in html}) == 2 * len(CHANGES)


def test_a_change_is_seen_at_once(bob_client: Client, run: Run) -> None:
    assert "renamed" not in bob_client.get(LIST).content.decode()

    Run.objects.filter(pk=run.pk).update(display_name="renamed", status=Status.QUEUED)

    page = bob_client.get(LIST).content.decode()
    assert "renamed" in page
    assert "Queued</span></span></button>" in page


def test_the_rows_drawn_last_are_kept_and_no_more() -> None:
    kept = Kept(2)
    for looked in ("a", "b", "a", "c"):
        if kept.get(looked) is None:
            kept.put(looked, Markup.escape(looked))

    assert [str(kept.get(looked)) for looked in "abc"] == ["a", "None", "c"]
