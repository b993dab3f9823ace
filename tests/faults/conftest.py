"""A studio per broker for all fault tests of a process, and the table at the end.

Their limits are short, so that what went silent is noticed within seconds.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.amount import IS_LONG
from tests.faults.crew import Crew
from tests.faults.kept import promise_of
from tests.faults.ledger import Ledger
from tests.live.faults import Redis
from tests.live.shared import show_log
from tests.live.studio import Studio

IMPATIENT = {
    "STUDIO_WORKER_BEAT_S": "0.5",
    "STUDIO_WORKER_LOST_AFTER_S": "4",
    "STUDIO_NOT_RESPONDING_AFTER_S": "4",
    "STUDIO_LOST_AFTER_S": "6",
    "STUDIO_MONITOR_S": "0",
}
EMBEDDED = "safefs://localhost/"
BROKERS = ["embedded", "redis"]
SLOW = 60.0  # the longest that a run may take to be noticed; the promise says 90 s


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def studio_on_embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from studio_on(EMBEDDED, tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="session")
def studio_on_redis(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from studio_on(redis.url, tmp_path_factory.mktemp("on-redis"))


def studio_on(broker: str, folder: Path) -> Iterator[Studio]:
    studio = Studio(folder, CELERY_BROKER_URL=broker, **IMPATIENT).start()
    yield studio
    studio.stop()
    show_log(studio)


def brokers(short: str) -> pytest.MarkDecorator:
    """The test runs on both brokers in the long form, and on this one in the short form."""
    return pytest.mark.parametrize("broker", BROKERS if IS_LONG else [short])


@pytest.fixture
def studio(broker: str, request: pytest.FixtureRequest) -> Studio:
    """An impatient studio on this broker."""
    found: Studio = request.getfixturevalue(f"studio_on_{broker}")
    return found


@pytest.fixture
def calm_studio(broker: str, request: pytest.FixtureRequest) -> Studio:
    """On the embedded broker the studio that all live tests share, with its usual patience."""
    name = "shared_studio" if broker == "embedded" else f"studio_on_{broker}"
    found: Studio = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="module")
def crews() -> Iterator[dict[str, Crew]]:
    made: dict[str, Crew] = {}
    yield made
    for crew in made.values():
        crew.stop()


@pytest.fixture
def crew(studio: Studio, crews: dict[str, Crew]) -> Crew:
    """The workers that the tests of a module share on one studio."""
    return crews.setdefault(studio.url, Crew(studio))


@pytest.fixture
def ledger(studio: Studio, tmp_path: Path) -> Ledger:
    return Ledger.of(studio, tmp_path)


# ------------------------------------------------------------ the table
Promise = Callable[..., None]


@pytest.fixture
def promise(record_property: Any) -> Promise:
    """`promise("P1", "a dead worker …", n=50, broker="redis")` at the start of a test, then any
    figures: `promise(slowest_s=3.2)`. What is told appears in the table of `make faults`."""

    def tell(*words: str, **figures: Any) -> None:
        if words:
            record_property("promise", " ".join(words))
        for name, value in figures.items():
            record_property(name, f"{value:.1f}" if isinstance(value, float) else str(value))

    return tell


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the long form, tests of other folders that keep a promise count as faults."""
    for item in items if IS_LONG else ():
        file = item.path.relative_to(item.config.rootpath).as_posix()
        kept = promise_of(file, item.name)
        if kept is not None:
            item.add_marker(pytest.mark.faults)
            item.user_properties.append(("promise", kept))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    table: list[tuple[str, ...]] = []
    for outcome, word in (("passed", "kept"), ("failed", "NOT KEPT"), ("error", "NOT KEPT")):
        for report in terminalreporter.stats.get(outcome, []):
            told = dict(getattr(report, "user_properties", []))
            if "promise" in told and (report.when == "call" or word != "kept"):
                table.append((told.pop("promise"), told.pop("n", ""), told.pop("broker", ""), word,
                              ", ".join(f"{k} {v}" for k, v in told.items())))  # fmt: skip
    if not table:
        return
    terminalreporter.section("promises")
    # Many tests without figures of their own may keep one promise: one line for all of them.
    for row in sorted(set(table), key=_in_order):
        name, n, broker, word, figures = row
        n = n or str(table.count(row))
        terminalreporter.write_line(f"{name:<58} {n:>5}  {broker:<9} {word:<8}  {figures}")


def _in_order(row: tuple[str, ...]) -> tuple[int, str, str]:
    number = re.match(r"P(\d+)", row[0])
    return (int(number[1]) if number else 99, row[0], row[2])
