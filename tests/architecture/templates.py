"""Templates as the HTML they can become: Jinja statements taken out, expressions as one mark."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

from django.template import engines
from jinja2 import Environment, nodes

from tests.architecture.sources import ROOT

FOLDER = ROOT / "templates"
MARK = "\N{REPLACEMENT CHARACTER}"  # stands for the value of an expression
VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr",
}  # fmt: skip
# Of each `if`: everything it can write, or only its first or only its last alternative.
Branch = Literal["all", "first", "last"]


@cache
def environment() -> Environment:
    found: Environment = engines["jinja2"].env
    return found


@cache
def templates() -> tuple[str, ...]:
    """Those of pages. Mails have no frame, and mail programs know no other styles than attributes;
    they are tested as mails."""
    found = (path.relative_to(FOLDER) for path in FOLDER.rglob("*.html"))
    return tuple(sorted(str(path) for path in found if path.parts[0] != "mail"))


def source(name: str) -> str:
    return (FOLDER / name).read_text()


def is_part(name: str) -> bool:
    return Path(name).name.startswith("_")


def is_component(name: str) -> bool:
    return name.startswith("components/")


def parse(text: str) -> nodes.Template:
    return environment().parse(text)


def html_of(template: nodes.Node, branch: Branch = "all") -> str:
    """The text a template can write. Macros count for "all" only: they write where called."""
    return "".join(_pieces(template, branch))


def _pieces(node: nodes.Node, branch: Branch) -> Iterator[str]:
    if isinstance(node, nodes.Output):
        for piece in node.nodes:
            yield piece.data if isinstance(piece, nodes.TemplateData) else MARK
    elif isinstance(node, nodes.Macro | nodes.AssignBlock) and branch != "all":
        return
    elif isinstance(node, nodes.CallBlock) and branch != "all":
        yield MARK
    elif isinstance(node, nodes.If) and branch != "all":
        for child in _alternative(node, branch):
            yield from _pieces(child, branch)
    else:
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Stmt):
                yield from _pieces(child, branch)


def _alternative(node: nodes.If, branch: Branch) -> list[nodes.Node]:
    return node.body if branch == "first" else node.else_


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    line: int
    inside: "Element | None" = None
    text: str = ""

    def is_told(self, name: str) -> bool:
        """Whether it, or an element of the same template around it, has the attribute."""
        return name in self.attributes or (self.inside is not None and self.inside.is_told(name))


@dataclass
class Page(HTMLParser):
    """Every element of a text, and what stands at its top level."""

    elements: list[Element] = field(default_factory=list)
    roots: list[Element] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        around = self.open[-1] if self.open else None
        element = Element(tag, {key: value or "" for key, value in attrs}, self.getpos()[0], around)
        self.elements.append(element)
        if not self.open:
            self.roots.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1].tag == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data
        elif data.strip():
            self.loose.append(data.strip())


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page
