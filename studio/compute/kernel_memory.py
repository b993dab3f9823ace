"""What the kernel says of memory around this process: whether it ended one because none was left.

Standard library only: the guard of a run uses it. A kernel counts the processes it ended for want
of memory, by control group (`memory.events` of version 2, `memory.oom_control` of version 1) and
for the whole machine (`/proc/vmstat`).
"""

from typing import NamedTuple

# Version 1 says "no limit" by a number that no machine has.
NO_LIMIT_BYTES = 1 << 60
KEY = "oom_kill"


class Account(NamedTuple):
    """Where the kernel counts. `scope`: "group", of this process and those beside it, or
    "machine"; `limit_file`: how much memory the group may use, "" for nobody knows."""

    counter_file: str
    scope: str
    limit_file: str = ""

    def n_kills(self) -> int | None:
        """How many processes were ended so far; None when the kernel does not say."""
        return counted(read_text(self.counter_file))

    def limit_bytes(self) -> int | None:
        """What the group may use; None for no limit."""
        text = read_text(self.limit_file).strip() if self.limit_file else ""
        found = int(text) if text.isdecimal() else NO_LIMIT_BYTES
        return found if found < NO_LIMIT_BYTES else None


MACHINE = Account("/proc/vmstat", "machine")


class Watch:
    """The counter from now on. `look` often: what rises between two looks has a narrow time."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.first = self.last = account.n_kills()

    def look(self) -> None:
        self.last = self.account.n_kills()

    def rose_since_look(self) -> bool | None:
        """Whether a process was ended since the last look; None when the kernel does not say."""
        now = self.account.n_kills()
        return None if now is None or self.last is None else now > self.last

    def n_since_start(self) -> int | None:
        now = self.account.n_kills()
        return None if now is None or self.first is None else now - self.first


def find_account() -> Account:
    """The account of this process: its control group's, else the machine's."""
    groups, mounts = read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo")
    for account in accounts_in(groups, mounts):
        if account.n_kills() is not None:
            return account
    return MACHINE


def accounts_in(groups: str, mounts: str) -> list[Account]:
    """The accounts that /proc/self/cgroup and /proc/self/mountinfo name, version 1 first: where
    both are mounted, memory is counted by that."""
    found = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            where = _place(mounts, path, kind="cgroup", option="memory")
            names = ("memory.oom_control", "memory.limit_in_bytes")
        elif not controllers:
            where = _place(mounts, path, kind="cgroup2", option="")
            names = ("memory.events", "memory.max")
        else:
            continue
        if where:
            found.append(Account(f"{where}/{names[0]}", "group", f"{where}/{names[1]}"))
    return sorted(found, key=lambda account: account.counter_file.endswith("memory.events"))


def _place(mounts: str, path: str, *, kind: str, option: str) -> str:
    """The folder of a control group; "" when it is not mounted here."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        mounted, options = before.split(" "), after.split(" ")
        if options[0] != kind or (option and option not in options[-1].split(",")):
            continue
        root, point = mounted[3], mounted[4]
        # A container sees its own group as the root of what is mounted.
        below = path.removeprefix(root) if root != "/" else path
        return f"{point}/{below.strip('/')}".rstrip("/")
    return ""


def counted(text: str) -> int | None:
    """The number behind the key of the counter; None when it is not there."""
    for line in text.splitlines():
        key, _, number = line.partition(" ")
        if key == KEY and number.strip().isdecimal():
            return int(number)
    return None


def read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
