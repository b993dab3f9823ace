"""Tasks of event loops and threads that log to one run at once."""

from __future__ import annotations

import asyncio
import threading

from studio.sdk import Experiment, Run
from tests.sdk.fake_server import FakeStudio

N_POINTS, N_TASKS = 500, 8


async def train(run: Run, name: str) -> None:
    for i in range(N_POINTS):
        run.log(name, i, step=i)
        # The others take their turn between any two points.
        await asyncio.sleep(0)


async def train_all(run: Run, loop: str) -> None:
    await asyncio.gather(*(train(run, f"{loop} task {i}") for i in range(N_TASKS)))


async def train_children(run: Run) -> None:
    async def one(i: int) -> None:
        with run.child_run(f"child {i}") as child:
            await train(child, "loss")

    await asyncio.gather(*(one(i) for i in range(3)))


def test_tasks_and_threads_that_log_at_once_lose_nothing(
    experiment: Experiment, studio: FakeStudio
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:

        def plain() -> None:
            for i in range(N_POINTS):
                run.log("thread", i, step=i)

        threads = [threading.Thread(target=plain)]
        for loop in ("a", "b"):
            work = train_all(run, loop)
            threads.append(threading.Thread(target=asyncio.run, args=(work,)))
        for thread in threads:
            thread.start()
        asyncio.run(train_children(run))
        for thread in threads:
            thread.join()
        children = list(run.get_children())
    names = ["thread", *(f"{loop} task {i}" for loop in "ab" for i in range(N_TASKS))]
    for name in names:
        assert studio.values(run.id, name) == list(range(N_POINTS)), name
    assert len(children) == 3
    for child in children:
        assert child.get_status() == "Completed"
        assert studio.values(child.id, "loss") == list(range(N_POINTS))
