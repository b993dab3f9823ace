"""The grammar of templates: what a page is, what a part is, and what neither may hold."""

import re
from pathlib import Path

import lucide
import pytest
from django.contrib.staticfiles import finders
from django.urls import get_resolver
from jinja2 import TemplateError, nodes

from studio.web.jinja import icon as drawing
from tests.architecture import templates as t
from tests.architecture.sources import listing

PAGES = [name for name in t.templates() if not t.is_part(name) and not t.is_component(name)]
PARTS = [name for name in t.templates() if t.is_part(name)]
FRAME = "base.html"
# Attributes that carry code or the address of code.
CODE = re.compile(r"\s*(javascript|vbscript|data:text/html)", re.IGNORECASE)
METHODS = ("get", "post", "put", "patch", "delete")
UNSAFE_SOURCE = re.compile(r"\|\s*safe\b|\bMarkup\s*\(|autoescape\s+false|hx-vals=['\"]js:", re.I)


@pytest.mark.parametrize("name", t.templates())
def test_it_compiles_with_everything_it_includes(name: str) -> None:
    try:
        t.environment().get_template(name)
        for node in t.parse(t.source(name)).find_all(
            (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)
        ):
            if isinstance(node.template, nodes.Const):
                t.environment().get_template(node.template.value)
    except TemplateError as wrong:
        line = getattr(wrong, "lineno", 1)
        pytest.fail(f"templates/{name}:{line} {type(wrong).__name__}: {wrong}")


@pytest.mark.parametrize("name", t.templates())
def test_it_opens_with_a_comment_that_names_its_context(name: str) -> None:
    opening = re.match(r"\{#(.*?)#\}", t.source(name), re.DOTALL)

    assert opening, f"templates/{name}:1 does not open with a comment"
    assert len(opening[1].split()) >= 4, f"templates/{name}:1 says too little"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_extends_the_frame(name: str) -> None:
    if name == FRAME:
        return
    first = next(t.parse(t.source(name)).find_all(nodes.Extends), None)

    assert first is not None, f"templates/{name}:1 is no part (_name.html) and extends nothing"


def problems_of_part(name: str, text: str) -> list[str]:
    """What keeps `text` from being a part called `name` (`<folder>/_<name>.html`)."""
    folder, stem = Path(name).parent.name, Path(name).stem.removeprefix("_")
    names = {f"{folder}-{stem}", f"{folder}-{stem.replace('_', '-')}"}
    tree, found = t.parse(text), set()
    if next(tree.find_all(nodes.Extends), None):
        found.add("a part extends nothing")
    for branch in ("first", "last"):
        page = t.read(t.html_of(tree, branch))
        tags = [root.tag for root in page.roots]
        if len(page.roots) != 1 or page.loose:
            found.add(f"one root element, not {tags} {[text[:40] for text in page.loose]}")
        for root in page.roots:
            own = root.attributes.get("id", "")
            if not any(own == good or own.startswith(f"{good}-{t.MARK}") for good in names):
                found.add(f"<{root.tag}> has the id “{own}”, not “{min(names)}”")
    return sorted(found)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_one_root_element_with_its_own_id(name: str) -> None:
    problems = problems_of_part(name, t.source(name))

    assert not problems, listing([f"templates/{name}: {problem}" for problem in problems])


def problems_of_content(text: str) -> list[str]:
    """Code, styles and unescaped values in a template."""
    found = [f"“{match[0]}” leaves text unescaped" for match in UNSAFE_SOURCE.finditer(text)]
    for element in t.read(t.html_of(t.parse(text))).elements:
        tag, attributes = element.tag, element.attributes
        if tag == "script" and ("src" not in attributes or element.text.strip()):
            found.append("a script in the page")
        if tag == "style" or "style" in attributes:
            found.append(f"style inside <{tag}>")
        for key, value in attributes.items():
            if key.startswith(("on", "hx-on")) or CODE.match(value):
                found.append(f"code in <{tag} {key}=…>")
    return found


@pytest.mark.parametrize("name", t.templates())
def test_it_holds_no_code_no_style_and_escapes_everything(name: str) -> None:
    problems = problems_of_content(t.source(name))

    assert not problems, listing([f"templates/{name}: {problem}" for problem in problems])


def problems_of_asking(text: str) -> list[str]:
    """What asks for a part and leaves it to whatever is around it where the answer goes."""
    return [
        f"<{element.tag} id={element.attributes.get('id', '')}> asks without hx-target"
        for element in t.read(t.html_of(t.parse(text))).elements
        if any(f"hx-{method}" in element.attributes for method in METHODS)
        and not element.is_told("hx-target")
        and element.attributes.get("hx-swap") != "none"
    ]


@pytest.mark.parametrize("name", t.templates())
def test_what_asks_says_where_the_answer_goes(name: str) -> None:
    """Targets are inherited: a part that stands in another one would replace that one."""
    problems = problems_of_asking(t.source(name))

    assert not problems, listing([f"templates/{name}: {problem}" for problem in problems])


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ('<p hx-get="/x" hx-swap="outerHTML"></p>', True),
        ('<p{% if a %} hx-get="/x" hx-trigger="every 2s"{% endif %}></p>', True),
        ('<p hx-get="/x" hx-target="this"></p>', False),
        ('<p hx-post="/x" hx-swap="none"></p>', False),
        ('<div hx-target="#a"><b><input hx-get="/x"></b></div>', False),
        ('<div hx-target="#a"></div><b hx-get="/x"></b>', True),
    ],
)
def test_asking_without_a_target_is_seen(text: str, is_wrong: bool) -> None:
    assert bool(problems_of_asking(text)) == is_wrong


def calls(name: str, function: str) -> list[tuple[int, str]]:
    """(line, first argument) of the calls of a global with a constant."""
    return [
        (node.lineno, str(node.args[0].value))
        for node in t.parse(t.source(name)).find_all(nodes.Call)
        if isinstance(node.node, nodes.Name)
        and node.node.name == function
        and node.args
        and isinstance(node.args[0], nodes.Const)
    ]


def test_every_address_named_in_a_template_exists() -> None:
    known = {key for key in get_resolver().reverse_dict if isinstance(key, str)}
    problems = [
        f"templates/{name}:{line} names the page “{page}”, which there is not"
        for name in t.templates()
        for line, page in calls(name, "url")
        if page not in known
    ]

    assert not problems, listing(problems)


def is_icon(name: str) -> bool:
    try:
        return bool(drawing(name))
    except lucide.IconDoesNotExist:
        return False


def test_every_icon_and_static_file_named_in_a_template_exists() -> None:
    problems = []
    for name in t.templates():
        where = f"templates/{name}"
        for line, icon in calls(name, "icon"):
            if not is_icon(icon):
                problems.append(f"{where}:{line} names the icon “{icon}”, which there is not")
        for line, file in calls(name, "static"):
            if finders.find(file) is None:
                problems.append(f"{where}:{line} names the file “{file}”, which there is not")

    assert not problems, listing(problems)


@pytest.mark.parametrize(
    "text",
    [
        "<p>no id</p>",
        '<p id="runs-row">a</p><p>b</p>',
        '<p id="runs-rows">wrong</p>',
        'loose <p id="runs-row">a</p>',
        '{% if a %}<p id="runs-row">a</p>{% else %}<p>b</p>{% endif %}',
        '{% if a %}<p id="runs-row">a</p>{% endif %}',
        '{% extends "base.html" %}',
    ],
)
def test_a_part_against_the_grammar_is_seen(text: str) -> None:
    assert problems_of_part("runs/_row.html", text)


@pytest.mark.parametrize(
    "text",
    [
        '<tr id="runs-row-{{ uid }}"{% if x %} hidden{% endif %}><td>{{ a }}<br></td></tr>',
        '{# c #}{% set a = 1 %}\n<p id="runs-row">{% if x %}<b>y</b>{% else %}z{% endif %}</p>\n',
        '{% macro m() %}<i>x</i>{% endmacro %}<p id="runs-row">{{ m() }}</p>',
    ],
)
def test_a_part_within_the_grammar_passes(text: str) -> None:
    assert not problems_of_part("runs/_row.html", text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<p onclick='x()'>",
        "<p style='color:red'>",
        "<style>p {}</style>",
        "{% if a %}{% else %}<a href='javascript:x()'>{% endif %}",
        "<p hx-on:click='x()'>",
        "{{ text | safe }}",
        "{% autoescape false %}{{ x }}{% endautoescape %}",
        "{% macro m() %}<p onload='x'>{% endmacro %}",
    ],
)
def test_code_in_a_template_is_seen(text: str) -> None:
    assert problems_of_content(text)
