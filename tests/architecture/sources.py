"""The source of the studio as syntax trees, each read once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDIO = ROOT / "studio"


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files below the folders of the repository, without migrations and caches."""
    found = [path for folder in folders or ("studio",) for path in (ROOT / folder).rglob("*.py")]
    return tuple(sorted(path for path in found if "migrations" not in path.parts))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def module_name(path: Path) -> str:
    """The dotted name under which `path` is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """The part of `studio.<part>.…` that has a rank; "" for the empty root package."""
    return [*module.split("."), ""][1]


def place(path: Path, node: ast.AST | int) -> str:
    """file:line, as an editor opens it."""
    line = node if isinstance(node, int) else getattr(node, "lineno", 1)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{shown}:{line}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def listing(problems: list[str]) -> str:
    """What a failing test shows: one problem a line."""
    return "\n".join(["", *sorted(problems)])
