"""Small rules of the house that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, STUDIO, listing, place, python_files, tree_of

MOST_BYTES = 1_000_000
SPEAKS_ON_TERMINALS = ("cli", "sdk", "management")
# Markup made from the text of an installed package; everything else is escaped by the templates.
MARKS_SAFE = {STUDIO / "web" / "jinja.py"}
VAGUE_NAMES = {"utils", "helpers", "common", "core", "services", "misc", "views"}
NOT_OURS = {".git", ".venv", "var", "node_modules", "__pycache__", ".studio", "build"}
# Pieced together so that this file does not name what it forbids.
MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.])/" + "work/",
            r"(?<![\w.])/" + "root/",
            r"(?<![\w.])/" + r"home/(?!runner\b)[a-z]\w+/",
            "--(extra-)?index" + "-url",
            "--find" + "-links",
            r"(files\.python" + r"hosted|pypi\.python|test\.pypi)\.org",
            r"https?://[\w.-]*(arti" + r"factory|nex" + r"us|pypi-?mirror|package-?proxy)[\w.:-]*",
        ]
    )
)
TALKS_ABOUT = re.compile(r"emit-index" + "-url")


@cache
def our_files() -> tuple[Path, ...]:
    """Everything that is, or is about to be, in the repository."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        found = [ROOT / name for name in names.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        found = [path for path in ROOT.rglob("*") if not NOT_OURS & set(path.parts)]
    return tuple(path for path in found if path.is_file() and not path.is_symlink())


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text file; nothing for a picture."""
    try:
        yield from enumerate(path.read_text().splitlines(), 1)
    except UnicodeDecodeError:
        return


def prints(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"print", "breakpoint"}:
            yield node


def swallows(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Handlers of any exception that do nothing with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            if broad and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body):
                yield node


def safe_marks(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
            if name in {"mark_safe", "Markup", "SafeString"}:
                yield node


def test_the_server_never_prints() -> None:
    problems = [
        f"{place(path, node)} prints; log it"
        for path in python_files("studio")
        if not set(SPEAKS_ON_TERMINALS) & set(path.relative_to(STUDIO).parts)
        for node in prints(tree_of(path))
    ]

    assert not problems, listing(problems)


def test_no_exception_is_swallowed_unseen() -> None:
    problems = [
        f"{place(path, node)} swallows every exception"
        for path in python_files("studio", "benchmarks", "fixtures")
        for node in swallows(tree_of(path))
    ]

    assert not problems, listing(problems)


def test_html_is_marked_safe_in_one_place_only() -> None:
    problems = [
        f"{place(path, node)} marks HTML as safe"
        for path in python_files("studio")
        if path not in MARKS_SAFE
        for node in safe_marks(tree_of(path))
    ]

    assert not problems, listing(problems)


def test_modules_have_telling_names() -> None:
    problems = [
        f"{place(path, 1)}: “{part}” says nothing about what is in it"
        for path in python_files("studio")
        for part in path.relative_to(STUDIO).with_suffix("").parts
        # A command's module is called as the command: `manage.py views export` tells enough.
        if part in VAGUE_NAMES and path.parent.name != "commands"
    ]

    assert not problems, listing(problems)


def test_nothing_committed_names_a_machine_or_a_registry() -> None:
    problems = [
        f"{place(path, number)} names a machine path or a registry: {line.strip()[:80]}"
        for path in our_files()
        for number, line in lines_of(path)
        if MACHINE.search(TALKS_ABOUT.sub("", line))
    ]

    assert not problems, listing(problems)


def test_no_committed_file_is_larger_than_a_megabyte() -> None:
    problems = [
        f"{path.relative_to(ROOT)} has {path.stat().st_size:,} bytes"
        for path in our_files()
        if path.stat().st_size > MOST_BYTES
    ]

    assert not problems, listing(problems)


def test_no_third_party_script_or_style_is_committed() -> None:
    """They come out of installed packages; a minified file would be one of them."""
    problems = [
        f"{path.relative_to(ROOT)} looks like somebody else's minified file"
        for path in our_files()
        if path.suffix in {".js", ".css"} and any(len(line) > 500 for _, line in lines_of(path))
    ]

    assert not problems, listing(problems)


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (prints, "print('x')"),
        (swallows, "try: f()\nexcept Exception: pass"),
        (swallows, "try: f()\nexcept: pass"),
        (safe_marks, "mark_safe(text)"),
        (safe_marks, "markupsafe.Markup(text)"),
    ],
)
def test_a_broken_rule_is_seen(check: object, source: str) -> None:
    assert callable(check)
    assert list(check(ast.parse(source)))


@pytest.mark.parametrize("text", ["/" + "work/x", "a /" + "root/b", "--index" + "-url x"])
def test_a_machine_path_is_seen(text: str) -> None:
    assert MACHINE.search(text)
