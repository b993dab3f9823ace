"""Forms of a page as a browser without scripts would send them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

VOID = {"radio", "checkbox"}


@dataclass
class Form(HTMLParser):
    """The fields of the form with this id, in the order of the page."""

    id: str
    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    is_inside: bool = False
    select: str | None = None
    options: list[tuple[str, bool]] = field(default_factory=list)
    textarea: str | None = None
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.is_inside = own.get("id") == self.id
            self.action = own["action"] if self.is_inside else self.action
        if not self.is_inside or "disabled" in own:
            return
        name = own.get("name", "")
        if tag == "input" and name and (own.get("type") not in VOID or "checked" in own):
            self.fields.append((name, own.get("value", "")))
        elif tag == "button" and name:
            self.buttons.append((name, own.get("value", "")))
        elif tag == "select":
            self.select, self.options = name, []
        elif tag == "option":
            self.options.append((own.get("value", ""), "selected" in own))
        elif tag == "textarea":
            self.textarea, self.text = name, ""

    def handle_data(self, data: str) -> None:
        if self.textarea is not None:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        elif tag == "select" and self.select is not None:
            chosen = [value for value, is_on in self.options if is_on] or [self.options[0][0]]
            self.fields.append((self.select, chosen[0]))
            self.select = None
        elif tag == "textarea" and self.textarea is not None:
            # The first line end of a text box is no part of its text; others are sent as two.
            text = self.text.removeprefix("\n").replace("\n", "\r\n")
            self.fields.append((self.textarea, text))
            self.textarea = None

    def sent(self, button: str = "apply", **typed: Any) -> dict[str, list[str]]:
        """What a press of the button sends, fields replaced by what was `typed`."""
        found: dict[str, list[str]] = {}
        for name, value in [*self.fields, *(b for b in self.buttons if b[0] == button)]:
            found.setdefault(name, []).append(value)
        many = {k: v if isinstance(v, list) else [v] for k, v in typed.items()}
        return found | many


def form_of(answer: Any, id: str) -> Form:
    form = Form(id)
    form.feed(answer.content.decode())
    form.close()
    assert form.action, f"no form {id}"
    return form


def query_of(answer: Any) -> dict[str, str]:
    """The query of the address that an answer leads to."""
    assert answer.status_code == 302, answer.status_code
    query = parse_qs(urlsplit(answer["Location"]).query, keep_blank_values=True)
    return {name: values[-1] for name, values in query.items()}


@dataclass
class Links(HTMLParser):
    """The links of a page: (address, text)."""

    found: list[tuple[str, str]] = field(default_factory=list)
    href: str | None = None
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.href, self.text = dict(attrs).get("href"), ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self.href is not None:
            self.found.append((self.href, " ".join(self.text.split())))
            self.href = None


def link_of(answer: Any, text: str, *, part: str = "") -> str:
    """The address of the first link with this text, and `part` in its address."""
    page = Links()
    page.feed(answer.content.decode())
    found = [href for href, words in page.found if words == text and part in href]
    assert found, f"no link {text!r} among {page.found}"
    return found[0]
