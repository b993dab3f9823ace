"""Short functions, short files. Generated migrations don't count."""

from statistics import median, quantiles

from tests.architecture.sources import functions, listing, place, python_files

MOST_FUNCTION_LINES = 50
MOST_FILE_LINES = 400
MOST_PARAMETERS = 5
MEDIAN_LINES = 8
P90_LINES = 30
EVERYWHERE = ("studio", "tests", "benchmarks", "fixtures")


def lengths(*folders: str) -> list[tuple[int, str]]:
    """(lines, place and name) of every function, from `def` to its last line."""
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{place(path, node)} {node.name}")
        for path in python_files(*folders)
        for node in functions(path)
    ]


def test_no_function_is_longer_than_50_lines() -> None:
    problems = [
        f"{where} has {n} lines, most {MOST_FUNCTION_LINES}"
        for n, where in lengths(*EVERYWHERE)
        if n > MOST_FUNCTION_LINES
    ]

    assert not problems, listing(problems)


def test_no_file_is_longer_than_400_lines() -> None:
    problems = []
    for path in python_files(*EVERYWHERE):
        n = len(path.read_text().splitlines())
        if n > MOST_FILE_LINES:
            problems.append(f"{place(path, n)} has {n} lines, most {MOST_FILE_LINES}")

    assert not problems, listing(problems)


def test_most_functions_are_short() -> None:
    lines = [n for n, _ in lengths("studio")]

    assert median(lines) <= MEDIAN_LINES
    assert quantiles(lines, n=10)[-1] <= P90_LINES
