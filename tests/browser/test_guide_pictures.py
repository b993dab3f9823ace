"""The pictures of docs/guide are all there, small, and shown."""

from tests.browser.guide_pictures import MAX_BYTES, PICTURES, STORED
from tests.live.studio import ROOT


def test_each_picture_of_the_guide_is_stored_and_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in STORED.glob("*.png")}
    assert set(sizes) == set(PICTURES)
    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}


def test_every_picture_stands_in_a_page_of_the_guide() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "guide").glob("*.md"))
    assert [name for name in PICTURES if f"images/guide/{name}.png" not in pages] == []
