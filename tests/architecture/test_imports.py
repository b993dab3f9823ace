"""A package imports only packages of lower rank; the client side touches only the wire."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import (
    STUDIO,
    listing,
    module_name,
    package_of,
    place,
    python_files,
    tree_of,
)

RANKS = {
    "wire": 0,
    "queries": 0,
    "blobs": 0,
    "broker": 0,
    "logbook": 0,
    "counters": 0,
    "migrating": 0,
    "accounts": 1,
    "compute": 2,
    "runs": 3,
    "work": 3,
    "metrics": 4,
    "artifacts": 4,
    "search": 5,
    "execution": 5,
    "lineage": 5,
    "custom_views": 6,
    "exports": 6,
    "bulk": 6,
    "alerts": 7,
    "web": 8,
    "api": 8,
    "mlflow_api": 8,
    "importers": 8,
    "operations": 8,
}
CLIENTS = {"sdk": {"wire"}, "cli": {"sdk"}}
# Modules that put the packages together; nothing but another of them imports them.
ROOT_MODULES = {
    "settings": set(),
    "urls": {"web", "api", "mlflow_api", "operations"},
    "celery": {"broker", "settings"},
    "apps": {"celery", "checks"},
    "checks": {"celery"},
    "wsgi": {"settings", "queries"},
    "asgi": {"settings"},
}
# The worker's command starts the Celery application itself.
EXCEPTIONS = {("execution", "celery")}
# Started as a program of its own, by its name; nothing of it is imported.
PROGRAMS = {("studio.execution.late", "studio.sdk.sync")}
# Where Django finds its settings: a text that everybody may name.
SETTINGS = "studio.settings"
DOTTED = re.compile(r"studio(\.[a-z_]\w*)+")
# Third-party packages that the lowest modules may import; the standard library is always allowed.
LEAN = {
    "studio.wire.sampling": {"psutil", "pynvml"},
    "studio.wire": set(),
    "studio.blobs": {"boto3", "botocore", "fsspec", "django"},
    "studio.broker": {"kombu"},
    "studio.logbook": set(),
    "studio.counters": {"prometheus_client"},
    "studio.queries": {"django"},
    "studio.compute.guard": set(),
    "studio.compute.guard_lifeline": set(),
    "studio.sdk": {
        "urllib3",
        "numpy",
        "pandas",
        "matplotlib",
        "PIL",
        "psutil",
        "pynvml",
        "IPython",
        "yaml",
    },
    "studio.cli": {"click", "jmespath", "yaml"},
}


def imported_modules(
    tree: ast.Module, module: str, *, is_package: bool
) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, also inside functions, and of modules named by text."""
    docstrings = {id(text) for text in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package=is_package)
            if base == "studio":
                yield from ((node.lineno, f"studio.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base
        elif isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield from ((node.lineno, name) for name in _named(node.value, by=module))


def _named(text: object, *, by: str) -> list[str]:
    """The module of ours that a text names, as in include("studio.web.urls"), if it names one.

    The settings may name whatever they install.
    """
    if SETTINGS in (by, text) or not isinstance(text, str) or not DOTTED.fullmatch(text):
        return []
    path = STUDIO.joinpath(*text.split(".")[1:])
    return [text] if path.is_dir() or path.with_suffix(".py").exists() else []


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    here = module.split(".")
    base = here[: len(here) - node.level + (1 if is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def allowed(importer: str, imported: str) -> str:
    """Why `importer` may not import `imported` (both packages); "" when it may."""
    if importer == imported or (importer, imported) in EXCEPTIONS:
        return ""
    if importer in CLIENTS:
        fine = imported in CLIENTS[importer]
        return "" if fine else f"{importer} imports {' and '.join(CLIENTS[importer])} only"
    if importer in ROOT_MODULES:
        return "" if imported in ROOT_MODULES[importer] else f"{importer}.py must not import it"
    if importer not in RANKS:
        return f"“{importer}” has no rank: add it to the table here and in docs/architecture.md"
    if imported in CLIENTS:
        return "the server never imports the client side"
    if imported in ROOT_MODULES:
        return "packages don't import the modules that put them together"
    if imported not in RANKS:
        return f"“{imported}” has no rank"
    if RANKS[imported] < RANKS[importer]:
        return ""
    ranks = f"{importer} is rank {RANKS[importer]}, {imported} is rank {RANKS[imported]}"
    return f"{ranks}; only lower ranks may be imported"


def problems_of(tree: ast.Module, module: str, path: Path) -> list[str]:
    found = []
    for line, name in imported_modules(tree, module, is_package=path.name == "__init__.py"):
        if name.split(".")[0] != "studio" or (module, name) in PROGRAMS:
            continue
        reason = allowed(package_of(module), package_of(name)) if name != "studio" else ""
        if reason:
            found.append(f"{place(path, line)} imports {name}: {reason}")
    return found


def test_every_module_imports_only_lower_ranks() -> None:
    problems = [
        problem
        for path in python_files("studio")
        for problem in problems_of(tree_of(path), module_name(path), path)
    ]

    assert not problems, listing(problems)


def test_every_package_has_a_rank() -> None:
    known = RANKS.keys() | CLIENTS.keys() | ROOT_MODULES.keys() | {"__init__"}
    there = {path.stem for path in STUDIO.glob("*.py")}
    there |= {path.name for path in STUDIO.iterdir() if path.is_dir() and any(path.glob("*.py"))}

    assert there <= known


def test_the_lowest_modules_need_few_libraries() -> None:
    problems = []
    for path in python_files("studio"):
        module = module_name(path)
        home = next((top for top in LEAN if module == top or module.startswith(f"{top}.")), None)
        if home is None:
            continue
        names = imported_modules(tree_of(path), module, is_package=path.name == "__init__.py")
        for line, name in names:
            top = name.split(".")[0]
            if top != "studio" and top not in sys.stdlib_module_names | LEAN[home]:
                problems.append(f"{place(path, line)} imports {name}: {home} must stay lean")

    assert not problems, listing(problems)


def test_the_root_package_is_empty() -> None:
    assert (STUDIO / "__init__.py").read_text() == ""


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("studio.runs.lifecycle", "from studio.metrics import actions"),
        ("studio.runs.lifecycle", "import studio.web.render"),
        ("studio.runs.actions", "def f():\n    from studio import search"),
        ("studio.web.run_list", "from studio.api.paging import page"),
        ("studio.metrics.actions", "from studio.artifacts.models import Artifact"),
        ("studio.metrics.actions", "from ..artifacts import models"),
        ("studio.search.apply", "from studio.execution.tasks import ring"),
        ("studio.sdk.run", "from studio.runs.status import Status"),
        ("studio.cli.main", "from studio.wire import RunCreate"),
        ("studio.api.runs", "from studio.sdk import Run"),
        (
            "studio.accounts.models",
            "import importlib\nimportlib.import_module('studio.runs.models')",
        ),
        ("studio.runs.models", "from studio.celery import app"),
        ("studio.brandnew.x", "from studio.wire import Series"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, source: str) -> None:
    assert problems_of(ast.parse(source), module, STUDIO / "made_up.py")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("studio.runs.actions.status", "from studio.runs.lifecycle import transition"),
        ("studio.web.run_list", "from studio import search, wire"),
        ("studio.sdk.run", "from studio.wire import Series\nfrom .outbox import Outbox"),
        ("studio.execution.agent", "'''studio.web'''\nfrom studio.metrics.actions import record"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert not problems_of(ast.parse(source), module, STUDIO / "made_up.py")
