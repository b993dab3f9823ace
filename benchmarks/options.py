"""How much to measure."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes of the run list, calls a figure, seconds of each load; `folder` is thrown away."""

    folder: Path
    list_sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    n_points: int = 1_000_000
    n_calls: int = 60
    load_s: float = 6.0
    crowd_s: float = 60.0
    n_cancels: int = 24
    n_storm_running: int = 50
    n_storm_queued: int = 950
    find_bytes: int = 2_000_000_000
    log_bytes: int = 5_000_000_000

    @classmethod
    def quick(cls, folder: Path) -> "Options":
        """A run of about a minute: it shows that all works, its figures are rough."""
        return cls(
            folder,
            list_sizes=(10_000,),
            n_calls=15,
            load_s=1.0,
            crowd_s=8.0,
            n_cancels=3,
            n_storm_running=5,
            n_storm_queued=95,
            find_bytes=200_000_000,
            log_bytes=200_000_000,
        )
