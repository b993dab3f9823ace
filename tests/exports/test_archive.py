"""Runs as a ZIP: out of one workspace, into another, and out again the same."""

import hashlib
import io
import json
import subprocess
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.accounts.models import User
from studio.artifacts import snapshots
from studio.artifacts.actions import find_artifact, open_artifact, put_artifact
from studio.artifacts.attachments import attach_image
from studio.artifacts.logs import append_log
from studio.artifacts.models import Artifact
from studio.artifacts.store import store
from studio.custom_views.actions import Draft, create_view
from studio.custom_views.models import Access, CustomView
from studio.custom_views.sharing import share_view
from studio.importers.models import ImportedRun
from studio.metrics.actions import record_batch
from studio.runs.actions import (
    add_properties,
    cancel_run,
    change_tags,
    complete_run,
    describe_run,
    fail_run,
    rename_run,
    set_parameters,
    warn_run,
)
from studio.runs.actions.experiments import describe_experiment
from studio.runs.models import Dependency, Experiment, Run
from studio.wire import Batch, FileEntry, Series
from tests import make
from tests.exports.archives import contents, json_lines, written
from tests.web.pictures import png

pytestmark = [pytest.mark.django_db, pytest.mark.data]

SOURCE = b"print('train')\n"
MOST = 2**63 - 1


def log_points(run: Any, by: Any, *series: Series) -> None:
    record_batch(run, Batch(str(uuid.uuid4()), tuple(series)), by=by)


@pytest.fixture
def full(experiment: Any, people: Any) -> Any:
    """A run with something of every kind, children of three levels, and one still running."""
    by, room = make.actor(people.bob), experiment.workspace
    digest = hashlib.sha256(SOURCE).hexdigest()
    snapshots.store_blob(room, digest, io.BytesIO(SOURCE), by=by)
    files = [FileEntry(path="train.py", digest=digest, size=len(SOURCE), executable=True)]
    snapshot = snapshots.make_snapshot(room, files, by=by)
    describe_experiment(experiment, "All about **cats**", by=by, expected_version=0)
    Experiment.objects.filter(pk=experiment.pk).update(title="Cats, all of them")
    run = make.run(
        experiment,
        parameters={"lr": "0.1", "a,b": "  "},
        properties={"commit": "f00"},
        definition={"git": {"commit": "abc"}, "packages": {"numpy": "2"}},
    )
    Run.objects.filter(pk=run.pk).update(snapshot=snapshot.digest, script="train.py")
    image = attach_image(run, "a cat.png", io.BytesIO(png()), by=by)
    describe_run(run, f"See ![cat]({image.address})", by=by)
    change_tags(run, by=by, put={"quality": "good; very", "flag": None, 'a"b/c': "x: y"})
    log_points(
        run,
        by,
        Series("loss", "scalar", [1.0, 2.0, 3.0], [float("nan"), float("-inf"), 1e-300], None),
        Series("big", "scalar", [1e9, 2e9], [1.0, 2.0], [MOST, -MOST]),
        Series("words", "text", [1.0], ["né"], None),
        Series("rows", "table", [1.0], [{"a": 1, "b": None}], None),
    )
    for _ in range(2):
        log_points(run, by, Series("loss", "scalar", [4.0], [0.5], None))
    put_artifact(run, "outputs/empty.bin", io.BytesIO(b""), by=by)
    put_artifact(run, "outputs/Model.pt", io.BytesIO(b"1" * 100_000), by=by)
    put_artifact(run, "outputs/model.pt", io.BytesIO(b"2"), by=by)
    put_artifact(run, "con/..hidden./ü?.txt", io.BytesIO(b"3"), by=by)
    append_log(run, "logs/output.txt", 0, b"one line\n" * 20_000, by=by)
    child = make.run(experiment, parent=run, type="pipeline")
    steps = [make.run(experiment, parent=child) for _ in range(2)]
    Dependency.objects.create(run=steps[1], needs=steps[0])
    for one in (*steps, child):
        complete_run(one, by=by)
    warn_run(run, "Too slow")
    return fail_run(run, by=by, error={"code": "E", "message": "no", "traceback": "no"})


def brought(data: bytes, room: Any, tmp_path: Path, *more: str) -> str:
    file = tmp_path / "runs.zip"
    file.write_bytes(data)
    told = io.StringIO()
    user = User.objects.get(username="bob").username
    call_command(
        "import", "studio-zip", str(file), "--workspace", room.name, "--user", user, *more,
        stdout=told,
    )  # fmt: skip
    return told.getvalue()


@pytest.fixture
def other(people: Any) -> Any:
    return make.workspace("other", owner=people.alice, contributor=people.bob)


def test_out_and_in_and_out_again_is_the_same(full: Any, other: Any, tmp_path: Path) -> None:
    first = written(full.workspace)
    told = brought(first, other, tmp_path)
    second = written(other)

    assert "4 runs imported" in told
    assert contents(second) == contents(first)
    found = contents(first)
    assert len(found["runs"]) == 4
    assert len(found["files"]) == 5
    assert found["files"][full.uid, "outputs/empty.bin"] == b""
    assert len(found["sources"]) == 3
    here = Run.objects.get(workspace=other, uid=full.uid)
    assert here.submitter is not None
    assert here.submitter.username == "bob"
    log = find_artifact(here, "logs/output.txt")
    assert log is not None
    assert log.is_log
    events = find_artifact(here, "imported/history.jsonl")
    assert events is not None
    with open_artifact(events) as stream:
        history = json_lines(stream.read())
    assert {"tags", "description", "status"} <= {event["kind"] for event in history}
    assert Dependency.objects.filter(run__workspace=other).count() == 1

    # The same again, and from the second studio back into the first: nothing changes.
    here, there = full.workspace, other
    for data, room in ((first, there), (second, there), (first, here), (second, here)):
        n_rows = Run.objects.count(), Artifact.objects.count(), ImportedRun.objects.count()
        assert "4 runs were here already" in brought(data, room, tmp_path)
        assert n_rows == (
            Run.objects.count(),
            Artifact.objects.count(),
            ImportedRun.objects.count(),
        )
    assert contents(written(full.workspace)) == contents(first)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
labels = st.dictionaries(texts.filter(lambda text: text.isalnum()), texts, max_size=4)
points = st.lists(st.tuples(st.integers(-MOST, MOST), st.floats()), max_size=30)
paths = st.lists(st.sampled_from(["a", "A", "..a", "con", "ü", "a.b", "x" * 250, "%2f", "C:"]))


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=st.lists(st.tuples(texts, labels, labels, points, paths), min_size=1, max_size=4))
def test_whatever_runs_are_called_and_hold(made: Any, people: Any, tmp_path: Path) -> None:
    names = [f"w{uuid.uuid4().hex[:12]}" for _ in range(2)]
    rooms = [make.workspace(n, owner=people.alice, contributor=people.bob) for n in names]
    by, run = make.actor(people.bob), None
    for name, tags, parameters, rows, parts in made:
        run = make.run(make.experiment(rooms[0]), parent=run)
        if name.strip().isprintable() and name.strip():
            rename_run(run, name, by=by)
        change_tags(run, by=by, put=tags)
        set_parameters(run, parameters, by=by)
        add_properties(run, tags, by=by)
        if rows:
            steps, values = zip(*rows, strict=True)
            times = [float(i) for i in range(len(rows))]
            log_points(run, by, Series("m", "scalar", times, list(values), list(steps)))
        if parts:
            put_artifact(run, "/".join(parts), io.BytesIO("".join(parts).encode()), by=by)
    for one in Run.objects.of(rooms[0]):
        complete_run(one, by=by)
    first = written(rooms[0])
    brought(first, rooms[1], tmp_path)

    assert contents(written(rooms[1])) == contents(first)


def test_other_programs_can_check_and_unpack_it(full: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(written(full.workspace))) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    told = subprocess.run(
        ["sha256sum", "--strict", "-c", "checksums.txt"], cwd=tmp_path, capture_output=True
    )

    assert told.returncode == 0, told
    assert names[0] == "studio.json"
    assert names[-1] == "checksums.txt"
    head = json.loads((tmp_path / "studio.json").read_text())
    assert (head["format"], head["version"], head["n_runs"]) == ("studio-archive", 2, 4)
    assert len(list(tmp_path.glob("files/*/logs/output.txt"))) == 1


def test_no_secret_is_in_it(full: Any, people: Any) -> None:
    make.token(people.bob, workspace=full.workspace)
    with zipfile.ZipFile(io.BytesIO(written(full.workspace))) as archive:
        told = b"".join(archive.read(name) for name in archive.namelist())

    assert b"bob" in told
    assert b"@example.org" not in told
    assert b"token" not in told


def test_a_lost_file_is_told_and_a_run_that_goes_on_comes_too(
    full: Any, other: Any, people: Any, tmp_path: Path
) -> None:
    by = make.actor(people.bob)
    running = make.run(full.experiment)
    append_log(running, "logs/output.txt", 0, b"so far\n", by=by)
    lost = find_artifact(full, "outputs/Model.pt")
    assert lost is not None
    store().delete(lost.blob_key)
    with pytest.raises(CommandError):
        brought(written(full.workspace), other, tmp_path)

    here = Run.objects.get(workspace=other, uid=full.uid)
    assert find_artifact(here, "outputs/Model.pt") is None
    assert find_artifact(here, "outputs/model.pt") is not None
    begun = Run.objects.get(workspace=other, uid=running.uid)
    assert (begun.status, begun.status_reason[:14]) == ("Failed", "It was Running")
    cancel_run(running, by=by, reason="enough")


def test_a_selection_has_its_child_runs_and_no_others(
    full: Any, other: Any, tmp_path: Path, capsys: Any
) -> None:
    alone = make.run(full.experiment, tags={"pick": "me"})
    pipeline = Run.objects.get(workspace=full.workspace, type="pipeline")
    file = tmp_path / "some.zip"
    room = full.workspace.name
    wanted = {
        ("--query", "tag.pick:me"): {alone.uid},
        ("--runs", pipeline.uid): {pipeline.uid, *(r.uid for r in pipeline.children.all())},
    }
    for options, uids in wanted.items():
        call_command("export", str(file), "--workspace", room, *options)
        assert contents(file.read_bytes())["runs"].keys() == uids
    told = brought(file.read_bytes(), other, tmp_path)

    assert "3 runs imported" in told
    assert Run.objects.get(workspace=other, uid=pipeline.uid).parent is None
    for options, why in ((("--runs", "nope"), "not in"), (("--query", "status:"), "status")):
        with pytest.raises(CommandError, match=why):
            call_command("export", str(file), "--workspace", room, *options)


def test_a_whole_workspace_brings_its_shared_views(
    full: Any, other: Any, people: Any, tmp_path: Path
) -> None:
    by, state = make.actor(people.bob), {"q": "status:failed"}
    bad, _ = (
        create_view(full.workspace, Draft(name, state=state), by=by) for name in ("Bad", "My own")
    )
    share_view(bad, everyone=Access.SEE, people={}, by=by)
    file = tmp_path / "all.zip"
    call_command("export", str(file), "--workspace", full.workspace.name)
    brought(file.read_bytes(), other, tmp_path)

    assert [view.name for view in CustomView.objects.of(other)] == ["Bad"]


def rewritten(data: bytes, changes: dict[str, bytes | None], *, sums: bool = True) -> bytes:
    """The archive with other members; sums: with their true checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {name: content for name, content in changes.items() if content is not None}
    for name, content in changes.items():
        if content is None:
            del members[name]
    if sums:
        lines = (
            f"{hashlib.sha256(content).hexdigest()}  {name}\n"
            for name, content in members.items()
            if name != "checksums.txt"
        )
        members["checksums.txt"] = "".join(lines).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_what_is_no_archive_is_refused_in_words(full: Any, other: Any, tmp_path: Path) -> None:
    data = written(full.workspace)
    link = zipfile.ZipInfo("files/a")
    link.external_attr = 0o120777 << 16
    linked = io.BytesIO(data)
    with zipfile.ZipFile(linked, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    head = {"format": "studio-archive", "version": 99}
    cases = {
        "is no ZIP": b"PK no zip",
        "or is not whole": data[:-100],
        "no plain file": linked.getvalue(),
        "is no name of this format": rewritten(data, {"../../etc/passwd": b"x"}),
        "“files/a/../b” is no name": rewritten(data, {"files/a/../b": b"x"}),
        "far more than it can hold": _bomb(data),
        "no list of checksums": rewritten(data, {"checksums.txt": None}, sums=False),
        "not those of its list": rewritten(data, {"files/extra": b"x"}, sums=False),
        "of version 99": rewritten(data, {"studio.json": json.dumps(head).encode()}),
        "is no archive": rewritten(data, {"studio.json": b"[]"}),
        "damaged": rewritten(data, {"studio.json": b"[" * 50_000}),
    }
    for words, content in cases.items():
        with pytest.raises(CommandError, match=words):
            brought(content, other, tmp_path)
    assert not Run.objects.filter(workspace=other).exists()


def _bomb(data: bytes) -> bytes:
    """An archive of which one member claims to be huge."""
    made = bytearray(data)
    at = made.rfind(b"PK\x01\x02")
    made[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    return bytes(made)


def test_damage_and_hostile_lines_cost_only_what_they_touch(
    full: Any, other: Any, tmp_path: Path
) -> None:
    data = written(full.workspace)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = (one for one in archive.namelist() if one.startswith("runs/"))
        lines = json_lines(archive.read(name))
        model = next(one for one in archive.namelist() if one.endswith("outputs/model (2).pt"))
    good = lines[1]
    strange: list[Any] = [
        {**good, "uid": f"made-{i}", "origin": f"made-{i}@x", "files": [], **change}
        for i, change in enumerate(
            (
                {"tags": 3},
                {"created_at": "yesterday"},
                {"status": "Sleeping"},
                {"definition": [1]},
                {"files": [{"path": "../../x", "member": model}]},
                {"files": [{"path": "x", "member": "studio.json"}]},
                {"parameters": {"a": "\0b"}, "display_name": "\0" * 10},
                {"warnings": ["\ud800"], "exit_code": 7},
            )
        )
    ]
    text = "".join(json.dumps(line) + "\n" for line in [*lines, *strange])
    content = rewritten(data, {name: text.encode()})
    # Other bytes under an old checksum.
    content = rewritten(content, {model: b"other"}, sums=False)
    report = tmp_path / "report.json"
    with pytest.raises(CommandError):
        brought(content, other, tmp_path, "--report", str(report))

    told = json.loads(report.read_text())
    assert told["n_new"] == 8
    assert told["n_skipped"] == 4
    here = Run.objects.get(workspace=other, uid=full.uid)
    assert find_artifact(here, "outputs/model.pt") is None
    assert find_artifact(here, "outputs/Model.pt") is not None
    assert any("checksum" in one["why"] for one in told["problems"])
    assert Run.objects.get(workspace=other, uid="made-7").exit_code == 7
    with pytest.raises(CommandError, match=r"\d problems"):
        brought(content, other, tmp_path)


def test_the_page_and_the_api_give_it_to_whoever_sees_the_runs(
    full: Any, api: Any, bob_client: Any, dave_client: Any
) -> None:
    page = f"/w/{full.workspace.name}/runs-export"
    answer = bob_client.get(page, {"format": "zip"})
    assert answer["Content-Type"] == "application/zip"
    assert f"{datetime.now(UTC):%Y-%m}" in answer["Content-Disposition"]
    assert len(contents(answer.getvalue())["runs"]) == 4
    ticked = {"format": "zip", "only": "1", "chosen": full.uid}
    assert full.uid in contents(bob_client.get(page, ticked).getvalue())["runs"]
    assert dave_client.get(page, {"format": "zip"}).status_code == 404

    for query, n in (({}, 4), ({"query": "status:completed"}, 0), ({"runs": full.uid}, 4)):
        assert len(contents(api.get("/export.zip", **query).getvalue())["runs"]) == n
    assert api.get("/export.zip", runs="nope").status_code == 422
    assert api.get("/export.zip", query="status:").status_code in (400, 422)
