"""docs/settings.md names every environment variable that the code reads, and nothing else."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT, listing, place, python_files, tree_of

PAGE = ROOT / "docs" / "settings.md"
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_*]+)` \| (.*?) \| (.+) \|$", re.MULTILINE)
READERS = {"env", "env_bool", "env_float", "getenv"}
# Where Django looks for its settings module is not a setting of the studio.
NOT_OURS = {"DJANGO_SETTINGS_MODULE"}


def reads(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """(line, variable, default as text or "") of everything read from the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _is_reader(node.func):
            default = node.args[1] if len(node.args) > 1 else None
            yield from _read(node.lineno, node.args[0], default)
        elif isinstance(node, ast.Subscript) and _is_environment(node.value):
            # Setting one for a child process is no reading.
            names = [node.slice] if isinstance(node.ctx, ast.Load) else []
            yield from (found for name in names for found in _read(node.lineno, name, None))


def _is_environment(node: ast.expr) -> bool:
    return ast.unparse(node).rsplit(".", 1)[-1] in {"environ", "env"}


def _is_reader(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and function.attr in {"get", "pop"}:
        return _is_environment(function.value)
    return ast.unparse(function).rsplit(".", 1)[-1] in READERS


def _read(line: int, name: ast.expr, default: ast.expr | None) -> Iterator[tuple[int, str, str]]:
    plain = str(default.value) if isinstance(default, ast.Constant) else ""
    if isinstance(name, ast.Constant):
        yield line, str(name.value), plain
    elif isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
        yield line, f"{name.values[0].value}*", plain


def read_by_the_code() -> dict[str, list[tuple[str, str]]]:
    """Variable -> (place, default) of each reading."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in (*python_files("studio"), ROOT / "manage.py"):
        for line, name, default in reads(tree_of(path)):
            if name not in NOT_OURS:
                found.setdefault(name, []).append((place(path, line), default))
    return found


def documented() -> dict[str, str]:
    """Variable -> its default as written in the table."""
    return {name: default for name, default, _ in ROW.findall(PAGE.read_text())}


def test_every_variable_read_is_documented() -> None:
    table = documented()
    problems = [
        f"{where[0][0]} reads {name}: add a row to docs/settings.md"
        for name, where in read_by_the_code().items()
        if name not in table
    ]

    assert not problems, listing(problems)


def test_every_variable_documented_is_read() -> None:
    known = read_by_the_code()

    assert [name for name in documented() if name not in known] == []


def test_the_defaults_are_those_of_the_code() -> None:
    table = documented()
    problems = [
        f"{where}: {name} defaults to {default}, the table says {table[name]}"
        for name, readings in read_by_the_code().items()
        for where, default in readings
        if default not in ("", "False", "True") and default not in table.get(name, default)
    ]

    assert not problems, listing(problems)


def test_no_variable_is_documented_twice() -> None:
    names = [name for name, _, _ in ROW.findall(PAGE.read_text())]

    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("os.environ.get('A_B', 'x')", "A_B"),
        ("os.environ['A_B']", "A_B"),
        ("os.getenv('A_B')", "A_B"),
        ("env_float('A_B', 3)", "A_B"),
        ("env = os.environ\nenv.get('A_B')", "A_B"),
        ("os.environ.get(f'A_{x}')", "A_*"),
    ],
)
def test_a_reading_is_seen(source: str, name: str) -> None:
    assert [found for _, found, _ in reads(ast.parse(source))] == [name]
