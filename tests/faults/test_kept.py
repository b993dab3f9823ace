"""The list of promises names tests that there are."""

import ast
from pathlib import Path

import pytest

from tests.faults.kept import KEPT, promise_of

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.faults


def named_in(file: str) -> list[str]:
    tree = ast.walk(ast.parse((ROOT / file).read_text()))
    found = [node.name for node in tree if isinstance(node, ast.FunctionDef)]
    return [name for name in found if name.startswith("test_")]


def test_every_test_that_keeps_a_promise_is_there() -> None:
    for promise, tests in KEPT.items():
        for test in tests:
            file, _, beginning = test.partition("::")
            named = [name for name in named_in(file) if name.startswith(beginning)]
            assert named, f"{promise}: {test}"
            assert all(promise_of(file, name) == promise for name in named)
