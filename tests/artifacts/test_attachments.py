"""Images of descriptions: what is taken in, who sees it, how long it is kept, what is freed."""

import struct
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.permissions import NotAllowed
from studio.artifacts import attachments
from studio.artifacts.attachments import (
    ImageTooLarge,
    attach_image,
    forget_unused,
    markdown_of,
    name_of,
    open_attachment,
    sweep_attachments,
)
from studio.artifacts.purging import finish_removals, purge_runs, sweep_orphans
from studio.artifacts.store import store
from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.actions.experiments import describe_experiment
from studio.runs.limits import Invalid
from studio.runs.models import Attachment, ExperimentEvent, RunEvent
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pictures import GIF, png

pytestmark = [pytest.mark.data, pytest.mark.django_db]
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L" + b"\0" * 20
NOT_IMAGES = [
    b"",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<!doctype html><script>alert(1)</script>",
    b"%PDF-1.7",
    b" \x89PNG\r\n\x1a\n",
    b"RIFF\x00\x00\x00\x00WAVE",
    b"BM\x00\x00",
]


def attach(described: Any, by: Any, data: bytes, name: str = "plot.png") -> Attachment:
    return attach_image(described, name, BytesIO(data), by=make.actor(by))


def describe(described: Any, by: Any, text: str) -> None:
    is_run = hasattr(described, "display_name")
    how = actions.describe_run if is_run else describe_experiment
    how(described, text, by=make.actor(by))


def grow_old() -> None:
    Attachment.objects.update(uploaded_at=timezone.now() - timedelta(days=2))


def keys() -> set[str]:
    return set(store().list("attachments/"))


@pytest.fixture(params=["run", "experiment"])
def held(request: Any, run: Any) -> Any:
    return run if request.param == "run" else run.experiment


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(), "image/png"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg"),
    ],
)
def test_an_image_is_what_its_bytes_say(run: Any, people: Any, data: bytes, kind: str) -> None:
    image = attach(run, people.bob, data, "page.html")

    assert (image.content_type, image.n_bytes) == (kind, len(data))
    with open_attachment(image) as stored:
        assert stored.read() == data


@pytest.mark.parametrize("data", NOT_IMAGES)
def test_anything_else_is_refused_and_leaves_nothing(run: Any, people: Any, data: bytes) -> None:
    before = all_rows()

    with pytest.raises(Invalid, match="no PNG, JPEG, GIF or WebP"):
        attach(run, people.bob, data)
    assert not changed_tables(before)
    assert keys() == set()


def test_an_image_of_too_many_pixels_is_refused(run: Any, people: Any) -> None:
    """A browser would need gigabytes to show it, however few bytes it has."""
    wide = png()[:16] + struct.pack(">II", 60_000, 60_000) + png()[24:]

    with pytest.raises(Invalid, match="50 million pixels"):
        attach(run, people.bob, wide)
    assert keys() == set()


def test_an_image_that_is_too_large_is_refused(
    run: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MAX_IMAGE_BYTES", 1_000_000)
    with pytest.raises(ImageTooLarge, match="larger than 1 MB"):
        attach(run, people.bob, png() + b"\0" * 1_000_000)
    assert keys() == set()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("C:\\plots\\loss.png", "loss.png"),
        ("../../etc/a](x)![b.png", "a (x)! b.png"),
        ("\u0000\n", "image"),
        ("Kurve ä.png", "Kurve ä.png"),
        ("*a*`b`<c>|d\ud800.png", "a b c d .png"),
    ],
)
def test_a_name_holds_nothing_that_markdown_would_read(given: str, name: str) -> None:
    assert name_of(given) == name


def test_an_upload_is_recorded_and_the_same_image_is_stored_once(held: Any, people: Any) -> None:
    first = attach(held, people.bob, png())
    second = attach(held, people.alice, png(), "again.png")

    assert first.pk == second.pk
    assert len(keys()) == 1
    events: Any = RunEvent if hasattr(held, "display_name") else ExperimentEvent
    told = [(one.actor, one.after) for one in events.objects.filter(kind="image").order_by("id")]
    facts = {"size": len(png()), "digest": first.digest}
    assert told == [
        ("bob", {"path": "plot.png", **facts}),
        ("alice", {"path": "again.png", **facts}),
    ]


def test_readers_and_outsiders_upload_nothing(held: Any, people: Any) -> None:
    for person in (people.carol, people.dave):
        with pytest.raises(NotAllowed):
            attach(held, person, png())
    assert keys() == set()


def test_an_image_lives_as_long_as_any_version_names_it(held: Any, people: Any) -> None:
    image = attach(held, people.bob, png())
    describe(held, people.bob, f"Curve: {markdown_of(image)}")
    describe(held, people.bob, "without it")
    unused = attach(held, people.bob, png(grey=1))
    grow_old()
    young = attach(held, people.bob, png(grey=2))

    assert forget_unused() == 1
    finish_removals()

    assert set(Attachment.objects.values_list("pk", flat=True)) == {image.pk, young.pk}
    assert keys() == {image.blob_key, young.blob_key}
    assert unused.blob_key not in keys()


def test_purging_the_last_run_that_names_an_image_frees_it(
    run: Any, experiment: Any, people: Any
) -> None:
    by, other = make.actor(people.alice), make.run(experiment)
    image = attach(run, people.bob, png())
    for one in (run, other):
        describe(one, people.bob, markdown_of(image))
        actions.complete_run(one, by=by)
    grow_old()
    for one, left in ((run, 1), (other, 0)):
        keeping.delete_run(one, by=by)
        finish_removals()
        assert len(keys()) == 1
        one.refresh_from_db()
        purge_runs(run.workspace, [one], by=by)
        finish_removals(run.workspace)
        assert len(keys()) == Attachment.objects.count() == left


def test_the_image_of_another_workspace_is_not_kept_by_naming_it(run: Any, people: Any) -> None:
    image = attach(run, people.bob, png())
    elsewhere = make.workspace("elsewhere", owner=people.dave)
    theirs = make.run(make.experiment(elsewhere, by=people.dave), by=people.dave)

    describe(theirs, people.dave, markdown_of(image))
    describe(run, people.bob, f"![x](attachment:{'0' * 40})")

    assert not image.uses.exists()


def test_bytes_of_an_upload_that_was_killed_are_swept(run: Any, people: Any) -> None:
    image = attach(run, people.bob, png())
    store().put(f"attachments/{run.workspace_id}/ab/abandoned", BytesIO(png()))

    sweep_orphans()
    assert len(keys()) == 2
    assert sweep_attachments(older_than_s=0) == len(png())
    assert keys() == {image.blob_key}
