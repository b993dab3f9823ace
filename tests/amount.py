"""How much a test does over and over: a little in `make test`, the counts of the promises in `make
faults`. What is random comes from one seed, which is printed beside a failed test."""

import os
import random
import time

IS_LONG = os.environ.get("STUDIO_FAULTS") == "long"
MOST = int(os.environ.get("STUDIO_FAULTS_MOST") or 1_000_000)
SEED = int(os.environ.get("STUDIO_FAULTS_SEED") or time.time_ns() % 1_000_000)


def form(short: int, long: int) -> int:
    """The count of this form of the tests; STUDIO_FAULTS_MOST cuts the long one."""
    return min(long, MOST) if IS_LONG else short


def dice(name: str) -> random.Random:
    """Random numbers of one test, the same for the same STUDIO_FAULTS_SEED."""
    print(f"STUDIO_FAULTS_SEED={SEED} ({name})")
    return random.Random(f"{SEED} {name}")


def rounds(total: int, most: int) -> list[int]:
    """`total` runs in rounds of at most `most`."""
    return [min(most, total - begun) for begun in range(0, total, most)]
