"""What README and docs tell people to type or to open exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from tests.architecture.sources import ROOT, listing, place, python_files, tree_of

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "fixtures").rglob("README.md"))
# Made when the tests run in a browser, or by a clone's first start.
MADE_LATER = {"docs/images/all-runs.png"}
COMMAND = re.compile(r"manage\.py ([a-z_]+)")
# A command with what follows on its line, up to the end of the code that it stands in.
CALL = re.compile(r"manage\.py ([a-z_]+)([^\n`|]*)")
TARGET = re.compile(r"(?:`|^|\s)(?:[A-Z_]+=\S+ )*make ([a-z]+)(?=`|\s*$|\s+#)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[\w-]*)?\)")


def lines(page: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """(place, first group) of every match."""
    text = page.read_text()
    for match in pattern.finditer(text):
        yield place(page, text.count("\n", 0, match.start(1)) + 1), match[1]


def test_every_command_named_exists() -> None:
    known = get_commands()
    problems = [
        f"{where} names manage.py {name}, which there is not"
        for page in PAGES
        for where, name in lines(page, COMMAND)
        if name not in known
    ]

    assert not problems, listing(problems)


def test_every_option_of_a_command_named_exists() -> None:
    problems = []
    for page in PAGES:
        for match in CALL.finditer(page.read_text()):
            known = options_of(match[1])
            problems += [
                f"{place(page, 1)} names {option} of manage.py {match[1]}, which there is not"
                for option in re.findall(r"(?<= )--[a-z-]+", match[2])
                if option not in known
            ]

    assert not problems, listing(problems)


@cache
def options_of(name: str) -> set[str]:
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = command.create_parser("manage.py", name)
    below = [one for action in parser._actions if isinstance(action.choices, dict)
             for one in action.choices.values()]  # fmt: skip
    parsers = [parser, *below]
    return {
        option for one in parsers for action in one._actions for option in action.option_strings
    }


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    known = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    problems = [
        f"{where} names make {name}, which there is not"
        for page in PAGES
        for where, name in lines(page, TARGET)
        if name not in known
    ]

    assert not problems, listing(problems)


def test_every_link_leads_to_a_file() -> None:
    problems = [
        f"{where} links to {target}, which there is not"
        for page in PAGES
        for where, target in lines(page, LINK)
        if "://" not in target and target not in MADE_LATER and not (page.parent / target).exists()
    ]

    assert not problems, listing(problems)


def test_the_first_page_of_the_docs_leads_to_each_of_them() -> None:
    told = set(LINK.findall((ROOT / "docs" / "README.md").read_text()))
    there = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert not there - told, listing(sorted(there - told))


def test_the_readme_fits_on_two_screens_and_shows_the_list() -> None:
    text = (ROOT / "README.md").read_text()

    assert len(text.splitlines()) <= 120
    assert "docs/images/all-runs.png" in text


def test_the_python_of_the_readme_uses_names_that_the_sdk_has() -> None:
    text = (ROOT / "README.md").read_text()
    init = tree_of(ROOT / "studio" / "sdk" / "__init__.py")
    offered = {alias.asname or alias.name for node in init.body for alias in _imported(node)}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for node in ast.parse(block).body:
            if isinstance(node, ast.ImportFrom) and node.module == "studio.sdk":
                assert {alias.name for alias in node.names} <= offered


def _imported(node: ast.stmt) -> list[ast.alias]:
    return node.names if isinstance(node, ast.ImportFrom) else []


def test_the_version_comes_from_the_change_log() -> None:
    newest = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest
    assert newest[1] == settings.STUDIO_VERSION
    assert f'version = "{newest[1]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda p: p.name)
def test_a_decision_is_numbered_dated_and_half_a_page(path: Path) -> None:
    heading, _, date, *rest = path.read_text().splitlines()
    number = int(path.name[:4])

    assert heading.startswith(f"# {number}. ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert 8 <= len(rest) <= 60


def test_architecture_tells_the_same_ranks_as_the_test() -> None:
    from tests.architecture.test_imports import RANKS

    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d) \| (.+?) \|", text, re.MULTILINE)
    told = {name: int(rank) for rank, names in rows for name in re.findall(r"`(\w+)`", names)}
    there = {
        path.relative_to(ROOT / "studio").parts[0].removesuffix(".py")
        for path in python_files("studio")
    }

    assert told == {name: rank for name, rank in RANKS.items() if name in there}


def test_the_glossary_is_in_alphabetical_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    terms = [term.casefold() for term in re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)]

    assert len(terms) > 15
    assert terms == sorted(terms)
