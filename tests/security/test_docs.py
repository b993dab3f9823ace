"""docs/security.md says of each line of the list what proves it, and that is there."""

import ast
import re

from tests.architecture.sources import ROOT, listing

ROW = re.compile(r"^\| ([0-9][^|]*) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
# Numbers of the standard that the table must speak of, each at least once.
NUMBERS = (
    *("1.1.1", "1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.5", "1.2.9", "1.3.1", "1.3.2", "1.3.4"),
    *("1.3.5", "1.3.6", "1.3.11", "1.5.2", "2.2.1", "2.2.2", "2.3.3", "2.3.4", "2.4.1", "3.2.1"),
    *("3.3.1-4", "3.4.1", "3.4.2", "3.4.3", "3.4.4-6", "3.5.1-3", "3.7.2", "4.1.1", "4.1.3"),
    *("4.3.1", "5.2.1", "5.2.3", "5.3.2", "5.4.1-2", "6.2.1-9", "6.3.1", "6.3.2", "6.3.4"),
    *("6.1.3", "6.4.3", "7.2.3-4", "7.4.1", "7.3.1-2", "7.4.2-3", "7.5.1", "8.2.1-2", "8.4.1"),
    *("8.2.3", "15.3.3", "13.2.3", "13.4.2", "13.4.1", "13.4.3-5", "14.2.1", "14.3.2", "15.1.2"),
    *("15.2.1", "15.3.2", "15.3.5", "15.3.6", "15.3.7", "16.2.5", "16.4.1", "16.3.1", "16.3.2"),
    *("16.5.1", "16.5.3", "6.3.3", "6.8.1-2", "10.2.1", "10.5.1-4", "7.5.2", "7.6.1"),
)


def test_each_line_is_proved_decided_or_told_to_be_open() -> None:
    rows = ROW.findall((ROOT / "docs" / "security.md").read_text())
    told = [number.strip() for numbers, _, _ in rows for number in numbers.split(",")]
    unproved = [
        numbers
        for numbers, _, proof in rows
        if not TEST.search(proof) and not re.match(r"(Decision|Open): .{30}", proof)
    ]

    assert sorted(told) == sorted(NUMBERS)
    assert not unproved, listing(unproved)


def test_every_test_named_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    problems = [
        f"{path}::{name} is not there"
        for path, name in TEST.findall(text)
        if not (ROOT / path).exists() or name not in functions_of(path)
    ]

    assert text.count("::test_") == len(TEST.findall(text))
    assert not problems, listing(problems)


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
