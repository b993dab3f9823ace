"""The tab Snapshot: the tree of a source, one file of it, downloads, the way to a comparison."""

import io
import zipfile
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from studio.artifacts.models import Snapshot, SourceBlob
from studio.artifacts.store import source_folder, store
from studio.blobs import digest_key
from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.web.pages import HTMX, read

HOSTILE = '"><img src=x onerror=alert(1)>.py'
FILES = {
    "README.md": b"# Digits\n",
    "train.py": b"import os\r\n\n\ndef main() -> None:\n    '</pre><script>alert(1)</script>'\n",
    "src/net/model.py": b"LAYERS = 3\n",
    "src/data.bin": b"\xff\x00\x01",
    "empty.txt": b"",
    HOSTILE: b"hostile = 1\n",
    "page.html": b"<script>alert(1)</script>\n",
}


def with_source(experiment: Any, files: dict[str, bytes], **facts: Any) -> Any:
    run = make.run(experiment, **facts)
    source = snapshot(experiment.workspace, files, programs=("train.py",))
    Run.objects.filter(pk=run.pk).update(snapshot=source.digest, script="train.py")
    run.refresh_from_db()
    return run


@pytest.fixture
def run(experiment: Any) -> Any:
    return with_source(experiment, FILES)


@pytest.fixture
def get(run: Any, carol_client: Client) -> Any:
    """The tab, or `/file` or `/zip` of it, as a reader sees it."""

    def ask(path: str | None = None, below: str = "", client: Client = carol_client) -> Any:
        query = {} if path is None else {"path": path}
        return client.get(f"{run.page_path}/snapshot{below}", query)

    return ask


def body(answer: Any) -> bytes:
    return bytes(answer.getvalue())


def test_the_tree_names_every_file_and_leads_to_it(run: Any, get: Any) -> None:
    page = read(get())

    assert "7 files" in page.text
    for path, data in FILES.items():
        link = f"{run.page_path}/snapshot?path={quote(path, safe='/')}"
        assert link in [own.get("href") for tag, own in page.elements if tag == "a"], path
        assert path.rpartition("/")[2] in page.texts
        assert f"{len(data)} B" in page.texts
    assert page.one("summary", title="src/net")


def test_the_script_that_was_run_is_opened_first(get: Any) -> None:
    page = read(get())

    assert page.one("section", id="runs-snapshot_file")["aria-label"] == "train.py"
    assert page.one("a", **{"class": "file-link", "aria-current": "true"})["title"].startswith(
        "train.py"
    )


@pytest.mark.parametrize(
    ("files", "first"),
    [({"a.py": b"1", "readme.md": b"2"}, "readme.md"), ({"b.py": b"1", "c.py": b"2"}, "b.py")],
)
def test_else_the_read_me_or_the_first_file_is_opened(
    experiment: Any, bob_client: Client, files: dict[str, bytes], first: str
) -> None:
    page = read(bob_client.get(f"{with_source(experiment, files).page_path}/snapshot"))

    assert page.one("section", id="runs-snapshot_file")["aria-label"] == first


def test_a_file_has_numbered_lines_in_colour(get: Any) -> None:
    html = get("train.py").content.decode()

    assert read(get("train.py")).ids("L") == ["L1", "L2", "L3", "L4", "L5"]
    assert '<a class="log-number" href="#L4">4</a>' in html
    assert '<span class="kn">import </span><span class="nn">os</span>' in html
    assert "&lt;/pre&gt;&lt;script&gt;" in html
    assert "<script>alert" not in html


def test_names_and_texts_are_never_markup(get: Any) -> None:
    for path in (HOSTILE, "page.html"):
        html = get(path).content.decode()
        assert "<img src=x" not in html
        assert "<script>alert" not in html
        assert html.count('<div class="log-line"') == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("src/data.bin", "This file is binary, so it is not shown."),
        ("empty.txt", "This file is empty."),
    ],
)
def test_what_has_no_lines_says_so_and_is_a_download(get: Any, path: str, words: str) -> None:
    page = read(get(path))

    assert words in page.text
    assert not page.ids("L")
    assert page.href(href=f"{get(path).wsgi_request.path}/file?path={path}")
    assert body(get(path, below="/file")) == FILES[path]


def test_a_file_over_a_megabyte_is_only_a_download(experiment: Any, bob_client: Client) -> None:
    files = {"at.txt": b"x\n" * 500_000, "over.txt": b"x" * 1_000_001}
    base = f"{with_source(experiment, files).page_path}/snapshot"

    over = bob_client.get(base, {"path": "over.txt"})
    assert "This file is larger than 1 MB" in read(over).text
    assert len(body(bob_client.get(f"{base}/file", {"path": "over.txt"}))) == 1_000_001
    at = read(bob_client.get(base, {"path": "at.txt"}))
    assert at.ids("L")[-1] == "L10000"
    assert "490,000 more lines are in the download" in at.text


def test_a_long_line_is_cut(experiment: Any, bob_client: Client) -> None:
    run = with_source(experiment, {"a.json": b"[" + b"1, " * 5_000 + b"1]"})

    answer = bob_client.get(f"{run.page_path}/snapshot")

    assert "cut; the download has the whole line" in answer.content.decode()
    assert len("".join(read(answer).texts)) < 5_000


def test_signs_that_hide_or_turn_text_are_seen(experiment: Any, bob_client: Client) -> None:
    run = with_source(experiment, {"a\u202e.py": "x = 1 # \u202e\u2066 \x1b[31m\n".encode()})

    html = bob_client.get(f"{run.page_path}/snapshot").content.decode()

    assert "\u202e" not in html
    assert "\u2066" not in html
    assert "# �� ␛[31m" in html
    assert "a�.py" in html
    link = f"{run.page_path}/snapshot?path={quote(chr(97) + chr(0x202E))}.py"
    assert bob_client.get(link).status_code == 200


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "src", "src/", "nothing", "a\0b", "..\\x", "%2e%2e"]
)
def test_a_path_that_is_not_in_the_snapshot_is_404(get: Any, path: str) -> None:
    page = get(path)

    assert page.status_code == 404
    assert "The snapshot has no file of this name." in read(page).text
    assert read(page).one("nav", id="runs-snapshot_tree")
    assert get(path, below="/file").status_code == 404


@pytest.mark.parametrize("path", [*FILES])
def test_a_download_is_the_file_and_never_runs(get: Any, path: str) -> None:
    answer = get(path, below="/file")

    assert body(answer) == FILES[path]
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer["Content-Length"] == str(len(FILES[path]))


def test_the_zip_is_the_whole_source_and_streams(run: Any, get: Any) -> None:
    answer = get(below="/zip")

    assert answer.streaming
    assert f'filename="run-{run.short_uid}-snapshot.zip"' in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body(answer))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
        assert archive.getinfo("train.py").external_attr >> 16 & 0o111
    safe = HOSTILE.translate(dict.fromkeys(map(ord, '<>:"|?*'), "_"))
    assert found == {safe if path == HOSTILE else path: data for path, data in FILES.items()}


def test_names_that_lead_out_are_safe_in_the_zip(run: Any, get: Any) -> None:
    """Nobody can submit them; a row that was written in another way stays harmless, too."""
    digest = SourceBlob.objects.filter(workspace=run.workspace).earliest("pk").digest
    facts = {"digest": digest, "size": 9, "executable": False}
    files = [{"path": path, **facts} for path in ("../../up.py", "/root.py", "a\x1b\n.py")]
    Snapshot.objects.filter(digest=run.snapshot).update(files=files)

    with zipfile.ZipFile(io.BytesIO(body(get(below="/zip")))) as archive:
        names = archive.namelist()
    html = get().content.decode()

    assert not [name for name in names if name.startswith("/") or ".." in name or "\x1b" in name]
    assert "a␛␊.py" in html
    assert 'filename="up.py"' in get("../../up.py", below="/file")["Content-Disposition"]


def test_a_very_deep_path_is_shown(experiment: Any, bob_client: Client) -> None:
    deep = "/".join("d" * 2_000) + "/x.py"
    run = with_source(experiment, {deep: b"1", "a.py": b"2"})

    page = bob_client.get(f"{run.page_path}/snapshot", {"path": deep})

    assert page.status_code == 200
    assert len([tag for tag, _ in read(page).elements if tag == "details"]) < 40


def test_a_large_tree_opens_only_the_way_to_the_file(experiment: Any, bob_client: Client) -> None:
    files = {f"d{i:02}/e/f.py": b"1" for i in range(40)}
    run = with_source(experiment, files)

    page = read(bob_client.get(f"{run.page_path}/snapshot", {"path": "d07/e/f.py"}))

    details = [own for tag, own in page.elements if tag == "details"]
    assert len(details) == 80
    assert len([own for own in details if "open" in own]) == 2


def test_a_run_without_a_snapshot_teaches_how_one_comes(
    experiment: Any, bob_client: Client, carol_client: Client
) -> None:
    base = f"{make.run(experiment).page_path}/snapshot"
    contributor, reader = (read(client.get(base)).text for client in (bob_client, carol_client))

    assert "No snapshot" in contributor
    assert "No snapshot" in reader
    assert 'Experiment(workspace, "vision").submit(script)' in contributor
    assert "submit(script)" not in reader
    for below in ("/file?path=a.py", "/zip"):
        assert bob_client.get(base + below).status_code == 404


def test_a_snapshot_or_bytes_that_are_gone_are_told(run: Any, get: Any) -> None:
    for digest in SourceBlob.objects.values_list("digest", flat=True):
        store().delete(digest_key(digest, under=source_folder(run.workspace_id)))
    assert "This file is gone from the store" in read(get("train.py")).text
    assert get("train.py", below="/file").status_code == 410

    Snapshot.objects.all().delete()
    assert "The snapshot is gone" in read(get()).text


def test_it_leads_to_the_difference_to_other_sources(
    experiment: Any, bob_client: Client, carol_client: Client
) -> None:
    older = with_source(experiment, {"train.py": b"lr = 1\n"}, display_name="older")
    with_source(experiment, {"train.py": b"lr = 2\n"}, display_name="alike")
    make.run(experiment, display_name="without")
    run = with_source(experiment, {"train.py": b"lr = 2\n"})
    newer = with_source(experiment, {"train.py": b"lr = 3\n"}, display_name="newer")

    page = read(carol_client.get(f"{run.page_path}/snapshot"))
    links = [own["href"] for tag, own in page.elements if tag == "a" and "href" in own]

    for old, new in ((older, run), (run, newer)):
        assert f"/w/lab/compare?chosen={old.uid},{new.uid}#compare-files" in links
    assert "alike" not in page.text
    assert "without" not in page.text
    (diff,) = [link for link in links if link.startswith("/w/lab/compare/file")]
    shown = read(bob_client.get(diff)).text
    assert "− removed lr = 1" in shown
    assert "+ added lr = 2" in shown


@pytest.mark.parametrize("below", ["", "/file?path=train.py", "/zip"])
def test_members_see_it_and_outsiders_do_not(run: Any, people: Any, below: str) -> None:
    address = f"{run.page_path}/snapshot{below}"
    for person in (people.alice, people.bob, people.carol):
        assert make.client(person).get(address).status_code == 200
    assert make.client(people.dave).get(address).status_code == 404


def test_a_source_of_another_workspace_is_not_found(run: Any, people: Any) -> None:
    other = make.workspace("elsewhere", owner=people.dave, contributor=people.bob)
    theirs = make.run(make.experiment(other))
    Run.objects.filter(pk=theirs.pk).update(snapshot=run.snapshot)

    answer = make.client(people.dave).get(f"{theirs.page_path}/snapshot")

    assert "The snapshot is gone" in read(answer).text


def test_the_part_is_that_of_the_page(run: Any, carol_client: Client) -> None:
    part = carol_client.get(f"{run.page_path}/snapshot", headers=HTMX)

    assert read(part).ids("runs-")[0] == "runs-snapshot"
    assert "<html" not in part.content.decode()
