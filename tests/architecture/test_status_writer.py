"""A run's status has one writer, `runs/lifecycle.py`; pages and API ask querysets for statuses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import STUDIO, functions, listing, place, python_files, tree_of

COLUMNS = {"status", "status_at", "status_reason", "status_before_silence"}
WRITER = STUDIO / "runs" / "lifecycle.py"
# A new run is inserted with its first status: there is nothing yet to move from.
BIRTHS = {
    STUDIO / "runs" / "actions" / "create.py": "birth_status",
    # Made-up runs for load tests, inserted by the thousand as if they had long ended.
    STUDIO / "metrics" / "made_rows.py": "runs",
}
# The client side holds copies of what the server told it, not the status itself.
CLIENT_SIDE = (STUDIO / "sdk", STUDIO / "cli")
# Knows no runs and no database: its status is the state of one process.
GUARD = STUDIO / "compute" / "guard.py"

WRITING_CALLS = {"update", "create", "get_or_create", "update_or_create", "aupdate", "acreate"}
LISTING_CALLS = {"save", "asave", "bulk_update", "abulk_update", "bulk_create", "abulk_create"}
ASKING_CALLS = {"filter", "exclude", "get", "Q", "When", "FilteredRelation"}
RAW_SQL = re.compile(
    r"\bupdate\s+\"?runs_run\"?\s+set\b|\binsert\s+into\s+\"?runs_run\"?\s*\(", re.I
)
STATUS_LOOKUP = re.compile(r"(^|.*__)status(__\w+)?$")


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def texts(node: ast.AST) -> set[str]:
    """Every text constant below the node."""
    return {
        inner.value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    }


def keywords(node: ast.Call) -> set[str]:
    """The keyword names of a call; with those of `**{"name": …}` and `defaults={"name": …}`."""
    names = {keyword.arg for keyword in node.keywords if keyword.arg}
    for keyword in node.keywords:
        if keyword.arg in (None, "defaults", "create_defaults"):
            for inner in ast.walk(keyword.value):
                if isinstance(inner, ast.Dict):
                    names |= {
                        key.value
                        for key in inner.keys
                        if isinstance(key, ast.Constant) and isinstance(key.value, str)
                    }
    return names


def _assigned(node: ast.AST) -> Iterator[ast.Attribute]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.AsyncFor):
        targets = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars:
        targets = [node.optional_vars]
    for target in targets:
        for inner in ast.walk(target):
            if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                yield inner


def writes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of everything that could write a run's status."""
    for node in ast.walk(tree):
        for attribute in _assigned(node):
            if attribute.attr in COLUMNS:
                yield attribute.lineno, f"assigns .{attribute.attr}"
        if isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _written_by_call(node))
        if isinstance(node, ast.Constant) and RAW_SQL.search(str(node.value)):
            yield node.lineno, "writes runs in SQL"


def _written_by_call(node: ast.Call) -> Iterator[str]:
    name = called(node)
    if name in WRITING_CALLS | {"Run"}:
        yield from (f"{name}({column}=…)" for column in sorted(keywords(node) & COLUMNS))
    elif name == "setattr" and len(node.args) > 1 and texts(node.args[1]) & COLUMNS:
        yield "sets the status by name"
    elif name in LISTING_CALLS:
        lists = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
        named = set().union(*(texts(part) for part in lists)) & COLUMNS
        yield from (f"{name}(… “{column}”)" for column in sorted(named))


def asks(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of every condition on a status."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in ASKING_CALLS:
            for name in sorted(keywords(node)):
                if STATUS_LOOKUP.fullmatch(name):
                    yield node.lineno, f".{called(node)}({name}=…)"


def birth_lines(path: Path) -> range:
    """The lines of the function in which a run may get its first status."""
    for node in functions(path):
        if node.name == BIRTHS.get(path):
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(0)


def test_only_the_lifecycle_writes_a_runs_status() -> None:
    problems = []
    for path in python_files("studio"):
        if path in (WRITER, GUARD) or any(path.is_relative_to(folder) for folder in CLIENT_SIDE):
            continue
        born = birth_lines(path)
        problems += [
            f"{place(path, line)} {what}: only runs/lifecycle.py writes a run's status"
            for line, what in writes(tree_of(path))
            if line not in born
        ]

    assert not problems, listing(problems)


def test_the_lifecycle_writes_it_with_one_update() -> None:
    updates = [what for _, what in writes(tree_of(WRITER)) if what == "update(status=…)"]

    assert updates == ["update(status=…)"]


def test_pages_and_api_never_filter_by_status() -> None:
    problems = [
        f"{place(path, line)} {what}: give the queryset a method with a name"
        for path in python_files("studio/web", "studio/api")
        for line, what in asks(tree_of(path))
    ]

    assert not problems, listing(problems)


@pytest.mark.parametrize(
    "source",
    [
        "run.status = 'Failed'",
        "run.status: str = 'Failed'",
        "run.a, run.status = 1, 2",
        "run.status_at = now",
        "Run.objects.filter(pk=1).update(status='Failed')",
        "Run.objects.filter(pk=1).update(**{'status': 'Failed'})",
        "Run.objects.create(uid='a', status='Failed')",
        "Run(uid='a', status='Failed')",
        "Run.objects.get_or_create(uid='a', defaults={'status': 'Failed'})",
        "Run.objects.bulk_update(runs, ['status'])",
        "run.save(update_fields=['status'])",
        "setattr(run, 'status', 'Failed')",
        "cursor.execute('UPDATE runs_run SET status = 1')",
        "for run.status in 'ab': pass",
    ],
)
def test_a_write_is_seen(source: str) -> None:
    assert list(writes(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "run.status == 'Failed'",
        "answer.status_code = 204",
        "render(request, status=422)",
        "Run.objects.filter(status='Failed')",
        "run.save(update_fields=['display_name'])",
    ],
)
def test_reading_a_status_is_no_write(source: str) -> None:
    assert not list(writes(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["runs.filter(status__in=X)", "Job.objects.exclude(run__status='Failed')", "Q(status=x)"],
)
def test_a_condition_on_a_status_is_seen(source: str) -> None:
    assert list(asks(ast.parse(source)))
