"""Images of descriptions on pages and in the API: taken in with and without scripts, and served so
that no browser runs them."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from studio.artifacts import attachments
from studio.artifacts.store import store
from studio.runs.models import Attachment
from tests import make
from tests.web.pages import HTMX, read
from tests.web.pictures import GIF, png

RAW = "application/octet-stream"
POLYGLOT = GIF + b"/*<script>alert(1)</script>*/"


def form(*files: bytes, **fields: str) -> dict[str, Any]:
    images = [SimpleUploadedFile(f"{n}.png", data) for n, data in enumerate(files)]
    return {"image": images, **fields}


@pytest.fixture(params=["run", "experiment"])
def place(request: Any, run: Any) -> str:
    own = f"runs/{run.uid}" if request.param == "run" else "experiments/vision"
    return f"/w/lab/{own}/description/images"


def test_a_script_gets_the_markdown_or_words(place: str, bob_client: Client) -> None:
    good = bob_client.post(place, form(png()), headers=HTMX)
    bad = bob_client.post(place, form(b"<svg onload=alert(1)>"), headers=HTMX)
    none = bob_client.post(place, {}, headers=HTMX)

    image = Attachment.objects.get()
    assert (good.status_code, good.content.decode()) == (200, f"![0.png]({image.address})")
    assert (bad.status_code, none.status_code) == (422, 422)
    assert "“0.png” is no PNG" in bad.content.decode()
    for answer in (good, bad, none):
        assert answer["Content-Type"] == "text/plain"
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_without_scripts_the_editor_comes_back_with_text_and_images(
    place: str, bob_client: Client
) -> None:
    page = bob_client.post(place, form(png(), GIF, b"no", text="# Cats", version="0"))

    assert page.status_code == 422
    told = read(page)
    images = Attachment.objects.order_by("pk")
    lines = "\n\n".join(f"![{one.name}]({one.address})" for one in images)
    assert [one.content_type for one in images] == ["image/png", "image/gif"]
    assert f"# Cats\n\n{lines}</textarea>" in page.content.decode()
    assert "“2.png” is no PNG" in told.text
    assert told.one("input", name="version")["value"] == "0"


def test_what_does_not_fit_is_told_with_the_limit(
    place: str, bob_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MAX_IMAGE_BYTES", 1_000)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10_000
    for size in (1_000, 20_000):
        answer = bob_client.post(place, form(png() + b"\0" * size, text="typed"))
        assert answer.status_code == 413
        assert "is larger than" in read(answer).text
        assert "typed</textarea>" in answer.content.decode()
    assert list(store().list("attachments/")) == []


@pytest.mark.parametrize("data", [png(), POLYGLOT])
def test_an_image_is_served_inert_and_kept_by_the_browser(
    run: Any, data: bytes, bob_client: Client, carol_client: Client, dave_client: Client
) -> None:
    bob_client.post(f"/w/lab/runs/{run.uid}/description/images", form(data))
    image = Attachment.objects.get()
    address = f"/w/lab/attachments/{image.digest}"

    seen = carol_client.get(address)

    assert b"".join(seen) == data
    assert seen["Content-Type"] == image.content_type
    assert seen["X-Content-Type-Options"] == "nosniff"
    assert seen["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert seen["Content-Disposition"].startswith('inline; filename="0.png"')
    assert seen["Cache-Control"] == "private, max-age=604800, immutable"
    again = carol_client.get(address, headers={"If-None-Match": seen["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert dave_client.get(address).status_code == 404
    assert carol_client.get(f"/w/lab/attachments/{'0' * 40}").status_code == 404
    store().delete(image.blob_key)
    assert carol_client.get(address).status_code == 404


def test_a_program_uploads_an_image_and_describes_a_run_with_it(
    run: Any, api: Any, people: Any, carol_client: Client
) -> None:
    for place in (f"/runs/{run.uid}", "/experiments/vision"):
        made = api.send("POST", f"{place}/images?file=a/loss.png", png(), RAW)
        assert made.status_code == 201
        told = made.json()
        assert (told["name"], told["content_type"], told["size"]) == (
            "loss.png",
            "image/png",
            len(png()),
        )
        assert api.patch(place, {"description": told["markdown"]}).status_code == 200
    image = Attachment.objects.get()
    assert image.uses.count() == 2
    got = api.get(f"/attachments/{image.digest}")
    assert (b"".join(got), got["Content-Type"]) == (png(), "image/png")
    page = carol_client.get(f"/w/lab/runs/{run.uid}").content.decode()
    assert f'<img alt="loss.png" src="/w/lab/attachments/{image.digest}" loading="lazy">' in page

    refused = api.send("POST", f"/runs/{run.uid}/images", b"<svg/>", RAW)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "image")
    reader = make.Api(people.carol, run.workspace)
    assert reader.send("POST", f"/runs/{run.uid}/images", png(), RAW).status_code == 403


def test_the_history_tells_of_an_upload(run: Any, bob_client: Client) -> None:
    bob_client.post(f"/w/lab/runs/{run.uid}/description/images", form(png()))

    told = read(bob_client.get(f"/w/lab/runs/{run.uid}/history")).text
    assert "Image for the description" in told
    assert f"{len(png())} bytes" in told
