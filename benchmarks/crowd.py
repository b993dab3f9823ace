"""A crowd: people who browse and trainings that log at the same time, on a studio full of runs."""

import json
import multiprocessing
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

from benchmarks.client import Api, Browser, Line
from benchmarks.measure import CpuClock, Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

N_PEOPLE, N_TRAINERS = 50, 20
# People of one process share its processor time: four ask for what they need of it.
N_PROCESSES = 4
THINKS_S = (1.0, 5.0)
POINTS_PER_BATCH, BATCH_EVERY_S = 50, 0.5
# What a person opens, and how often of a hundred times; RUN is one of the runs there are.
HABITS = (
    ("the list", 30, "/w/load/runs"),
    ("a filtered list", 15, "/w/load/runs?q=status:Completed+metric.loss<0.5"),
    ("a sorted list", 10, "/w/load/runs?order=metric.loss"),
    ("a text", 5, "/w/load/runs?q=warmup"),
    ("a run", 20, "/w/load/runs/RUN"),
    ("its metrics", 10, "/w/load/runs/RUN/metrics"),
    ("experiments", 5, "/w/load/experiments"),
    ("the monitor page", 5, "/w/load/monitor"),
)
RUNS = """
from studio.runs.models import Run
print(" ".join(Run.objects.order_by("-pk").values_list("uid", flat=True)[:200]))
"""


@dataclass
class Seen:
    """What one process of people or trainers met: what was asked -> times in ms, and faults."""

    times_ms: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    # Run -> points that the studio said it has.
    acknowledged: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, began: float) -> None:
        self.times_ms.setdefault(what, []).append((time.perf_counter() - began) * 1e3)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the studio is, and its runs; for processes of their own."""

    port: int
    config: str
    runs: Sequence[str]
    cookies: dict[str, str]
    n: int
    seed: int


def measure(options: Options) -> Group:
    """Timed: a page from the request to its last byte, at a person's own pace."""
    n_runs = max(size for size in options.list_sizes if size <= 100_000)
    seconds = options.crowd_s
    with Studio(options.folder / "crowd").prepare() as studio:
        studio.manage("seed_load", "--runs", str(n_runs), "--points", "3000")
        runs = studio.shell(RUNS).splitlines()[-1].split()
        clock = CpuClock(studio.web)
        people, trainers = crowd(studio, runs, seconds)
        cpu_s, foreign = clock.own_s(), clock.foreign()
        lost, doubled = balance(studio, trainers)
    pages = [time for seen in people for some in seen.times_ms.values() for time in some]
    batches = [time for seen in trainers for some in seen.times_ms.values() for time in some]
    faults = [fault for seen in (*people, *trainers) for fault in seen.faults]
    n_points = sum(sum(seen.acknowledged.values()) for seen in trainers)
    rows = [
        Row.of_sample("all pages", Sample(pages, foreign=foreign), target=Target(250)),
        *(
            Row.of_sample(f"– {name}", Sample(times))
            for name, _, _ in HABITS
            if (times := [t for seen in people for t in seen.times_ms.get(name, [])])
        ),
        Row.of_sample(f"a batch of {POINTS_PER_BATCH} points", Sample(batches)),
        Row("errors", "", len(pages) + len(batches), len(faults), target=Target(0)),
        Row("acknowledged points lost", "", n_points, lost, target=Target(0)),
        Row("points stored twice", "", n_points, doubled, target=Target(0)),
    ]
    notes = [
        f"{len(pages) / seconds:.1f} pages/s and {len(batches) / seconds:.1f} batches/s; the web "
        f"process took {cpu_s / seconds:.0%} of one processor",
        *(f"error: {fault}" for fault in faults[:5]),
    ]
    return Group(
        "A crowd",
        f"{N_PEOPLE} people, each with a page every {THINKS_S[0]:g} to {THINKS_S[1]:g} s, and "
        f"{N_TRAINERS} trainings, each with {POINTS_PER_BATCH} points every {BATCH_EVERY_S:g} s, "
        f"for {seconds:g} s on {n_runs:,} runs in SQLite; people and trainings share the machine "
        "with the server.",
        rows,
        notes,
    )


def crowd(studio: Studio, runs: Sequence[str], seconds: float) -> tuple[list[Seen], list[Seen]]:
    """(people, trainers), after so many seconds together."""
    context = multiprocessing.get_context("spawn")
    config = json.dumps(studio.config)
    begin, found = context.Event(), context.Queue()
    cookies = studio.browser().cookies
    kinds: list[tuple[str, int]] = [("people", N_PEOPLE), ("trainers", N_TRAINERS)]
    jobs = []
    for kind, n_all in kinds:
        for i in range(N_PROCESSES):
            n = n_all // N_PROCESSES + (i < n_all % N_PROCESSES)
            place = Place(studio.port, config, runs, cookies, n, seed=100 * len(jobs) + i)
            jobs.append(context.Process(target=live, args=(kind, place, begin, seconds, found)))
    for job in jobs:
        job.start()
    # Each tells that it is signed in; then all begin together.
    for _ in jobs:
        found.get(timeout=120)
    begin.set()
    seen: dict[str, list[Seen]] = {"people": [], "trainers": []}
    for _ in jobs:
        kind, one = found.get(timeout=seconds + 120)
        seen[kind].append(one)
    for job in jobs:
        job.join()
    return seen["people"], seen["trainers"]


def live(kind: str, place: Place, begin: Event, seconds: float, found: Any) -> None:
    """One process: several people or trainers, whoever is next by the clock."""
    dice, seen = random.Random(place.seed), Seen()
    make = person if kind == "people" else trainer
    actors = [make(place, seen, dice) for _ in range(place.n)]
    found.put("ready")
    begin.wait()
    end = time.perf_counter() + seconds
    due = [time.perf_counter() + dice.uniform(0, THINKS_S[1]) for _ in actors]
    while (next_at := min(due)) < end:
        time.sleep(max(0.0, next_at - time.perf_counter()))
        i = due.index(next_at)
        try:
            pause_s = actors[i]()
        except Exception as fault:
            seen.faults.append(f"{type(fault).__name__}: {fault}"[:300])
            actors[i], pause_s = make(place, seen, dice), THINKS_S[1]
        due[i] = time.perf_counter() + pause_s
    found.put((kind, seen))


def again(line: Line, call: Callable[[], object]) -> None:
    """The call; as browsers do, once more on a new connection when the server had closed it."""
    try:
        call()
    except ConnectionError:
        line.http.close()
        call()


def person(place: Place, seen: Seen, dice: random.Random) -> Any:
    """What opens one page and says how long the person looks at it."""
    browser = Browser(place.port)
    browser.cookies = dict(place.cookies)
    browser.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    weights = [weight for _, weight, _ in HABITS]

    def look() -> float:
        name, _, path = dice.choices(HABITS, weights)[0]
        began = time.perf_counter()
        address = path.replace("RUN", dice.choice(place.runs))
        again(browser, lambda: browser.page(address))
        seen.note(name, began)
        return dice.uniform(*THINKS_S)

    return look


def trainer(place: Place, seen: Seen, dice: random.Random) -> Any:
    """What sends one batch of its own run."""
    config = json.loads(place.config)
    api = Api(place.port, config["workspace"], config["token"])
    uid = uuid.uuid4().hex
    api.post("/runs", {"uid": uid, "experiment": "crowd", "start": True})
    step = 0

    def train() -> float:
        nonlocal step
        steps = list(range(step, step + POINTS_PER_BATCH))
        values = [dice.random() for _ in steps]
        times = [time.time()] * len(steps)
        series = {"name": "loss", "kind": "scalar", "steps": steps, "times": times}
        batch = {"batch": uuid.uuid4().hex, "metrics": [{**series, "values": values}]}
        began = time.perf_counter()
        again(api, lambda: api.post(f"/runs/{uid}/batches", batch))
        seen.note("batch", began)
        step += POINTS_PER_BATCH
        seen.acknowledged[uid] = step
        return BATCH_EVERY_S

    return train


def balance(studio: Studio, trainers: Sequence[Seen]) -> tuple[int, int]:
    """(acknowledged points that are not there, points that are there twice)."""
    api, lost, doubled = studio.api(), 0, 0
    for seen in trainers:
        for uid, n in seen.acknowledged.items():
            steps = api.get(f"/runs/{uid}/metrics/points?name=loss")["steps"]
            lost += len(set(range(n)) - set(steps))
            doubled += len(steps) - len(set(steps))
    return lost, doubled
