"""Reading pages as a browser would: elements, rows, and parts asked for by HTMX."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

HTMX = {"HX-Request": "true"}


@dataclass
class Read(HTMLParser):
    """The elements of a page as (tag, attributes), and its visible text."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def ids(self, start: str = "") -> list[str]:
        found = (attributes.get("id", "") for _, attributes in self.elements)
        return [one for one in found if one and one.startswith(start)]

    def one(self, tag: str, **attributes: str) -> dict[str, str]:
        """The attributes of the only element of that tag with these attributes."""
        found = [
            own
            for name, own in self.elements
            if name == tag and all(own.get(key) == value for key, value in attributes.items())
        ]
        assert len(found) == 1, f"{len(found)} <{tag}> with {attributes}"
        return found[0]

    def href(self, **attributes: str) -> str:
        return self.one("a", **attributes)["href"]


def read(answer: Any) -> Read:
    page = Read()
    page.feed(answer.content.decode())
    page.close()
    return page


def rows(answer: Any) -> list[str]:
    """Ids of the table rows of runs, in order."""
    prefix = "runs-row-"
    ids = read(answer).ids(prefix)
    return [one.removeprefix(prefix) for one in ids if not one.startswith("runs-row-link-")]
