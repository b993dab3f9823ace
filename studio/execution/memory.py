"""Whether a run ended because memory ran out: proven by the kernel, perhaps, or not. Pure."""

import signal
from dataclasses import dataclass

from studio.compute.launcher import GuardStatus

PROVEN, PERHAPS, NO = "proven", "perhaps", "no"
# What a shell exits with when its program was killed.
KILLED_IN_SHELL = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Memory:
    """What the guard saw: `killed_at_end`: the kernel ended a process for want of memory in the
    second before the script's end (None: it does not say); `n_killed` of them during the run;
    `scope`: those of the "group" of the run's processes, or of the whole "machine"."""

    killed_at_end: bool | None = None
    n_killed: int | None = None
    scope: str = ""
    peak_bytes: int = 0
    limit_bytes: int | None = None


UNKNOWN = Memory()


def memory_of(status: GuardStatus | None) -> Memory:
    if status is None:
        return UNKNOWN
    return Memory(
        status.memory_kill_at_end,
        status.n_memory_kills,
        status.memory_scope,
        status.peak_bytes,
        status.memory_limit_bytes,
    )


def out_of_memory(
    memory: Memory, *, exit_code: int | None, exit_signal: int | None, was_asked: bool
) -> str:
    """PROVEN, PERHAPS, NO, or "" where the question does not arise: the studio ended the process,
    or it ended with a code and nothing near it was killed."""
    in_group = bool(memory.n_killed) and memory.scope == "group"
    if was_asked:
        return ""
    if exit_signal == signal.SIGKILL:
        if memory.killed_at_end is None:
            return PERHAPS
        if not memory.killed_at_end:
            return NO
        return PROVEN if memory.scope == "group" else PERHAPS
    if exit_code == KILLED_IN_SHELL:
        return PERHAPS if in_group or memory.n_killed is None else NO
    # Such as a script that gave up when a process of its own was killed.
    return PERHAPS if in_group and exit_code != 0 else ""
