"""P26: who has an alert rule is told at least once, whatever becomes of mail server, worker, broker
and database; once more than that per crash at most; and never in a storm."""

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.mailbox import Mailbox, text_of
from tests.amount import IS_LONG, form, rounds
from tests.faults.conftest import EMBEDDED, IMPATIENT, Promise, brokers
from tests.faults.doors import Person
from tests.faults.telling import (
    fail_many,
    fail_one,
    hours_pass,
    make_rules,
    next_hour,
    states,
    troubles,
)
from tests.live.conftest import show_log
from tests.live.faults import Redis, locked_database
from tests.live.studio import Studio, status_of, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

SOON = 60.0
NAMES = [
    "script",
    "down",
    "cut",
    "crash",
    "locked",
    "hanging",
    "refused",
    "fine",
    "crowd",
    "nobroker",
]
BROKEN = "print('begun', flush=True)\nraise ValueError('no <data> in shard 7')\n"
SLEEPS = "import time\nprint('up', flush=True)\ntime.sleep(300)\n"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


def telling(mailbox: Mailbox, folder: Path, broker: str) -> Iterator[Studio]:
    mail = f"smtp://127.0.0.1:{mailbox.port}"
    studio = Studio(folder, CELERY_BROKER_URL=broker, EMAIL_URL=mail, **IMPATIENT).start()
    make_rules(studio, {name: {} for name in NAMES})
    yield studio
    studio.stop()
    show_log(studio)


@pytest.fixture(scope="module")
def studio_on_embedded(mailbox: Mailbox, tmp_path_factory: Any) -> Iterator[Studio]:
    yield from telling(mailbox, tmp_path_factory.mktemp("p26"), EMBEDDED)


@pytest.fixture(scope="module")
def studio_on_redis(mailbox: Mailbox, redis: Redis, tmp_path_factory: Any) -> Iterator[Studio]:
    yield from telling(mailbox, tmp_path_factory.mktemp("p26-redis"), redis.url)


@pytest.fixture(autouse=True)
def as_usual(mailbox: Mailbox) -> Iterator[None]:
    """Each test leaves a mail server that takes what comes."""
    mailbox.mails.clear()
    yield
    mailbox.answer = mailbox.refuse = ""
    mailbox.refused, mailbox.waits_s = set(), 0.0
    mailbox.taken = lambda mail: True


def told(mailbox: Mailbox, experiment: str, n: int = 1, timeout_s: float = SOON) -> list[Any]:
    """At least n mails about runs of the experiment."""

    def found() -> list[EmailMessage]:
        return mailbox.about(f": {experiment} /")

    wait_until(lambda: len(found()) >= n, timeout_s, f"{n} mails about {experiment}")
    return found()


def all_sent(studio: Studio, rule: str, n: int) -> None:
    wait_until(lambda: states(studio, rule) == {"sent": n}, SOON, f"{n} deliveries sent")


@brokers("embedded")
def test_a_script_that_fails_is_told_within_a_minute(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str, tmp_path: Path
) -> None:
    from studio.sdk import Experiment, ScriptRunConfig

    promise("P26 a failed script is told", n=1, broker=broker)
    source = write_script(tmp_path / "src", BROKEN)
    run = Experiment(studio.workspace, "script").submit(ScriptRunConfig(str(source), "train.py"))
    assert status_of(run, "Failed") == "Failed"
    ended = time.monotonic()

    (mail,) = told(mailbox, "script")

    promise(seconds=time.monotonic() - ended)
    text = text_of(mail)
    for wanted in ("script", run.display_name, "Failed", "admin", "no <data> in shard 7"):
        assert wanted in text, wanted
    assert re.search(r"Duration: +\d", text)
    links = re.findall(r"http\S+", text)
    assert any(run.id in link for link in links)
    person = Person(studio)
    for link in links:
        assert link.startswith(studio.url)
        assert person.open(link, timeout=30).status in {200, 302}, link
    all_sent(studio, "script", 1)


@brokers("embedded")
def test_a_mail_server_that_was_away_gets_every_mail_once(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    n = form(3, 15)
    promise("P26 mail server down, then back", n=n, broker=broker)
    mailbox.close()
    runs = [fail_one(studio, "down") for _ in range(n)]
    wait_until(lambda: any("away" in text for text in troubles(studio, "down")), SOON, "a try")
    wait_until(lambda: states(studio, "down") == {"waiting": n}, SOON, "all to wait")
    mailbox.open_again()
    hours_pass(studio)
    fail_one(studio, "elsewhere")

    all_sent(studio, "down", n)

    text = "".join(text_of(mail) for mail in mailbox.mails)
    assert all(text.count(run.id) == 1 for run in runs), "one was told of twice, or never"


@brokers("embedded")
def test_a_connection_that_breaks_before_the_answer_costs_one_double(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    promise("P26 mail server dies between DATA and 250", n=1, broker=broker)
    mailbox.taken = lambda mail: len(mailbox.mails) > 1
    fail_one(studio, "cut")
    wait_until(lambda: states(studio, "cut") == {"waiting": 1} and mailbox.mails, SOON, "a try")
    hours_pass(studio)
    fail_one(studio, "elsewhere")

    all_sent(studio, "cut", 1)

    assert_doubles(mailbox, "cut", most=1)


def assert_doubles(mailbox: Mailbox, experiment: str, *, most: int) -> None:
    """The mails that came again are the same to whoever gets them."""
    ids = Counter(str(mail["Message-ID"]) for mail in mailbox.about(f": {experiment} /"))
    assert len(ids) == 1, ids
    assert sum(ids.values()) <= 1 + most, ids


@brokers("embedded")
def test_a_worker_killed_between_sending_and_marking_costs_one_double(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    n = form(1, 5)
    promise("P26 worker killed between send and mark", n=n, broker=broker)
    for round in range(n):
        mailbox.mails.clear()
        worker = studio.child("worker")

        def kill(mail: EmailMessage, worker: Any = worker) -> bool:
            if len(mailbox.mails) == 1:
                worker.send_signal(signal.SIGKILL)
                worker.wait(10)
            return True

        mailbox.taken = kill
        fail_one(studio, "crash")
        told(mailbox, "crash")
        wait_until(lambda: not worker.is_running(), SOON, "the worker to be dead")  # noqa: B023
        assert states(studio, "crash").get("sending") == 1
        hours_pass(studio)
        all_sent(studio, "crash", round + 1)
        assert_doubles(mailbox, "crash", most=1)
        promise(mails=len(mailbox.mails))


@brokers("embedded")
def test_a_database_that_is_locked_after_sending_costs_no_double(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    """The lock is longer than SQLite's own patience (20 s) in the long form."""
    promise("P26 database locked between send and mark", n=1, broker=broker)
    held: list[Any] = []

    def lock(mail: EmailMessage) -> bool:
        held.append(locked_database(studio))
        held[0].__enter__()
        return True

    mailbox.taken = lock
    fail_one(studio, "locked")
    told(mailbox, "locked")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > form(2, 30), 40, "a while to pass")
    held[0].__exit__(None, None, None)
    mailbox.taken = lambda mail: True

    all_sent(studio, "locked", 1)

    assert_doubles(mailbox, "locked", most=0)


@brokers("embedded")
def test_a_mail_server_that_hangs_holds_up_nothing_else(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str, tmp_path: Path
) -> None:
    """It answers after a while; meanwhile cancels, claims and background tasks go on."""
    from studio.sdk import Experiment, ScriptRunConfig

    promise("P26 slow mail server beside other tasks", n=1, broker=broker)
    source = write_script(tmp_path / "src", SLEEPS)
    begun = Experiment(studio.workspace, "work").submit(ScriptRunConfig(str(source), "train.py"))
    mailbox.waits_s = form(6, 35)
    fail_one(studio, "hanging")
    assert status_of(begun, "Running") == "Running"
    asked = time.monotonic()
    begun.cancel()
    assert status_of(begun, "Canceled") == "Canceled"
    promise(cancelled_in_s=time.monotonic() - asked)

    assert not mailbox.mails, "the mail server did not hang meanwhile"
    told(mailbox, "hanging")
    all_sent(studio, "hanging", 1)

    assert_doubles(mailbox, "hanging", most=0)


@brokers("embedded")
def test_a_refused_recipient_costs_nobody_else_a_mail(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    promise("P26 one recipient refused", n=1, broker=broker)
    mailbox.refuse, mailbox.refused = "452 mailbox full", {"refused@example.org"}
    fail_one(studio, "refused")
    fail_one(studio, "fine")

    told(mailbox, "fine")

    wait_until(lambda: states(studio, "refused") == {"waiting": 1}, SOON, "a try")
    assert troubles(studio, "refused") == {"The mail server said 452: mailbox full"}
    mailbox.refuse = "550 no such mailbox"
    hours_pass(studio)
    fail_one(studio, "elsewhere")
    wait_until(lambda: states(studio, "refused") == {"failed": 1}, SOON, "it to be given up")


@brokers("embedded")
def test_many_failures_at_once_are_a_digest_that_misses_none(
    studio: Studio, mailbox: Mailbox, promise: Promise, broker: str
) -> None:
    n = form(100, 1_000)
    promise("P26 many failures at once", n=n, broker=broker)
    for part in rounds(n, 250):
        fail_many(studio, "crowd", part)

    def n_waiting() -> int:
        return states(studio, "crowd").get("waiting", 0) + states(studio, "crowd").get("sending", 0)

    wait_until(lambda: sum(states(studio, "crowd").values()) == n, SOON, "all to be fired")
    n_first = len(mailbox.mails)
    assert n_first <= 20
    next_hour(studio)
    fail_one(studio, "elsewhere")
    wait_until(lambda: not n_waiting(), SOON, "all to be sent")

    assert states(studio, "crowd") == {"sent": n}
    assert len(mailbox.mails) <= n_first + 20
    promise(mails=len(mailbox.mails))


@pytest.mark.parametrize("broker", ["redis"])
def test_without_a_broker_people_are_told_all_the_same(
    studio: Studio, mailbox: Mailbox, redis: Redis, promise: Promise, broker: str
) -> None:
    promise("P26 broker away", n=1, broker=broker)
    redis.stop(signal.SIGKILL)
    try:
        began = time.monotonic()
        run = fail_one(studio, "nobroker")
        (mail,) = told(mailbox, "nobroker")
        promise(seconds=time.monotonic() - began)
        assert run.id in text_of(mail)
        all_sent(studio, "nobroker", 1)
    finally:
        redis.start()
    assert IS_LONG or len(mailbox.mails) == 1
