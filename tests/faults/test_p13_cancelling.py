"""P13: a cancel that comes twice, five times, too early or too late is harmless."""

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.amount import dice, form
from tests.faults.conftest import SLOW, Promise, brokers
from tests.faults.doors import Person, at_once, by_api, by_sdk
from tests.faults.ledger import BOOK, Ledger
from tests.faults.pausing import paused
from tests.live.faults import rows
from tests.live.studio import Studio, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

# It ends when its file is there, and leaves outputs that take a while to be collected.
WAITING = BOOK + (
    "from pathlib import Path\n"
    "for i in range(40): Path(f'outputs/{i}').write_text('x')\n"
    "note('ready')\n"
    "while not Path(sys.argv[2]).exists(): time.sleep(0.02)\n"
)
PHASES = ["Queued", "Starting", "Running", "Finalizing", "Completed"]


def reached(studio: Studio, uid: str, phase: str) -> bool:
    """Whether the run is in this phase, or beyond it already."""
    ((status,),) = rows(studio, "SELECT status FROM runs_run WHERE uid = ?", uid)
    order = ["Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"]
    return status not in order or order.index(status) >= order.index(phase)


Calls = Callable[[str], list[int]]


def cancel_in(phase: str, ledger: Ledger, source: Path, go: Path, calls: Calls) -> list[int]:
    """Submit a run, cancel it when it comes to this phase, and again after its end; the answers."""
    studio = ledger.studio
    if phase in {"Finalizing", "Completed"}:
        go.touch()
    with contextlib.ExitStack() as until_asked:
        if phase == "Queued":
            # Else it would be claimed before we can ask.
            until_asked.enter_context(paused(studio, studio.child("worker").pid))
        (uid,) = ledger.submit(source, n=1, target="local", arguments=[go])
        wait_until(partial(reached, studio, uid, phase), 60, phase, every_s=0)
        codes = calls(uid)
    go.touch()
    ledger.all_ended(SLOW)
    return codes + calls(uid)


@brokers("embedded")
def test_cancels_in_every_phase_are_answered_and_leave_a_legal_history(
    calm_studio: Studio, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, codes = form(5, 500), Counter[int]()
    promise("P13 one to five cancels in every phase", n=n, broker=broker)
    ledger, chance = Ledger.of(calm_studio, tmp_path), dice(f"cancel {broker}")
    person, source = Person(calm_studio), write_script(tmp_path / "src", WAITING)
    heard_before = len(calm_studio.log.read_text())
    doors = [
        partial(by_api, calm_studio, way="cancel"),
        partial(person.press, way="cancel"),
        partial(by_sdk, calm_studio, way="cancel"),
    ]

    def some_cancels(uid: str) -> list[int]:
        chosen = chance.choices(doors, k=chance.randrange(1, 6))
        return at_once([partial(door, run_id=uid) for door in chosen])

    for number, phase in zip(range(n), itertools.cycle(PHASES), strict=False):
        go = tmp_path / f"go-{number}"
        codes.update(cancel_in(phase, ledger, source, go, some_cancels))
    ledger.check()
    assert set(codes) <= {200, 303, 409}
    said = calm_studio.log.read_text()[heard_before:]
    assert re.findall(r"ERROR|Internal Server Error", said) == []
    promise(answers=dict(codes), **what_happened(ledger))


def what_happened(ledger: Ledger) -> dict[str, object]:
    """In which status the cancels found the runs, and how these ended."""
    found, ends = Counter[str](), Counter[str]()
    for moves in ledger.histories().values():
        asked = [before for before, after in moves if after == "CancelRequested"]
        assert len(asked) <= 1
        found[asked[0] if asked else "after the end"] += 1
        ends[moves[-1][1]] += 1
        # Who cancels in time gets a run that never completes by itself, or one that won the race.
        assert moves[-1][1] in {"Canceled", "Completed"}
        assert asked or moves[-1][1] == "Completed"
    return {"asked_while": dict(found), "ends": dict(ends)}
