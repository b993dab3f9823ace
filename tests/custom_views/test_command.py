"""`manage.py views export|import`."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from studio.accounts.permissions import Actor
from studio.custom_views import actions, sharing
from studio.custom_views.actions import Draft
from studio.custom_views.models import CustomView
from tests.rows import all_rows, changed_tables

TEXT = """version: 1
views:
- name: Best
  list: runs
  state:
    order: metric.loss:min
  shared:
    everyone: see
- name: Failures
  list: runs
  state:
    q: status:failed
"""


def run(*words: str) -> str:
    told = io.StringIO()
    call_command("views", *words, stdout=told)
    return told.getvalue()


@pytest.fixture
def file(tmp_path: Path, workspace: Any) -> Path:
    path = tmp_path / "views.yaml"
    path.write_text(TEXT)
    return path


def view(person: Any, workspace: Any, name: str, **shared: Any) -> CustomView:
    by = Actor.of_user(person)
    made = actions.create_view(workspace, Draft(name, {}), by=by)
    return sharing.share_view(made, **{"everyone": "", "people": {}, **shared}, by=by)


def test_a_file_is_taken_and_written_again(file: Path, tmp_path: Path) -> None:
    told = run("import", "lab", str(file), "--user", "bob", "--share")
    run("export", "lab", "--user", "bob", "--output", str(tmp_path / "again.yaml"))

    assert told == (
        "created    Best\n           not in this workspace: metric “loss”\ncreated    Failures\n"
    )
    assert (tmp_path / "again.yaml").read_text() == TEXT
    assert run("import", "lab", str(tmp_path / "again.yaml"), "--user", "bob").startswith(
        "unchanged  Best\n"
    )


def test_a_dry_run_changes_nothing(file: Path) -> None:
    before = all_rows()

    told = run("import", "lab", str(file), "--user", "bob", "--dry-run")

    assert told.endswith("created    Failures\nNothing was changed: this was a dry run.\n")
    assert not changed_tables(before)


def test_sharing_is_left_alone_unless_asked_for(file: Path) -> None:
    run("import", "lab", str(file), "--user", "bob")
    assert not CustomView.objects.exclude(everyone="").exists()

    assert "changed    Best (sharing)\n" in run(
        "import", "lab", str(file), "--user", "bob", "--share"
    )


def test_only_what_everyone_sees_is_written_unless_a_person_is_named(
    people: Any, workspace: Any
) -> None:
    view(people.alice, workspace, "private of alice")
    view(people.alice, workspace, "alice to bob", people={"bob": "see"})
    view(people.alice, workspace, "alice to all", everyone="see", people={"bob": "edit"})
    view(people.bob, workspace, "private of bob")

    everyone, with_bob = run("export", "lab"), run("export", "lab", "--user", "bob")

    assert names(everyone) == ["alice to all"]
    assert "bob: edit" in everyone
    assert names(with_bob) == ["alice to all", "private of bob"]
    assert "bob: edit" not in with_bob, "what bob himself could not see"


def names(text: str) -> list[str]:
    return [line[8:] for line in text.splitlines() if line.startswith("- name: ")]


def test_a_view_that_is_refused_makes_it_fail_and_the_others_are_taken(file: Path) -> None:
    file.write_text(TEXT.replace("status:failed", "'status:('"))

    with pytest.raises(CommandError, match=r"Refused: 1 of 2\.") as refused:
        run("import", "lab", str(file), "--user", "bob")

    assert refused.value.returncode == 1
    assert [one.name for one in CustomView.objects.all()] == ["Best"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "nowhere"), "There is no workspace “nowhere”."),
        (("export", "lab", "--user", "nobody"), "There is no active user “nobody”."),
        (("export", "lab", "--output", "{folder}/no/x"), "No such file or directory"),
        (("import", "lab", "{folder}/none.yaml", "--user", "bob"), "No such file or directory"),
        (("import", "lab", "{folder}", "--user", "bob"), "Is a directory"),
        (("import", "lab", "{file}", "--user", "carol"), "does not allow this"),
        (("import", "lab", "{file}", "--user", "dave"), "does not allow this"),
        (("import", "lab", "{folder}/wrong.yaml", "--user", "bob"), "there is no “veiws”"),
        (("import", "lab", "{folder}/large.yaml", "--user", "bob"), "at most 1,000,000"),
    ],
)
def test_what_can_not_be_done_is_one_line(words: tuple[str, ...], told: str, file: Path) -> None:
    (file.parent / "wrong.yaml").write_text("version: 1\nveiws: []")
    (file.parent / "large.yaml").write_text("x" * 1_000_001)
    before = all_rows()

    with pytest.raises(CommandError) as refused:
        run(*(word.format(folder=file.parent, file=file) for word in words))

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not changed_tables(before)


def test_the_file_may_come_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))

    assert "created    Best" in run("import", "lab", "-", "--user", "bob")


def test_a_name_can_not_move_the_cursor_of_a_terminal(file: Path) -> None:
    file.write_text('version: 1\nviews:\n- name: "a\\e[2Jb"\n')

    assert run("import", "lab", str(file), "--user", "bob") == "created    a\ufffd[2Jb\n"


def test_help_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("views", "export", "--help")

    told = " ".join(capsys.readouterr().out.split())
    assert "Private views, and those shared with named people, are left out" in told
