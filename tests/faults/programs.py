"""Programs beside the studio that log through the SDK, each a process with a spool of its own."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.live.studio import ROOT, Studio


class Program:
    """A script at work; what it prints is in `words`, its warnings in `errors`."""

    def __init__(self, studio: Studio, folder: Path, text: str, *arguments: Any) -> None:
        self.studio, self.folder = studio, folder
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / "train.py"
        script.write_text(text)
        self.spool = folder / "spool"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
        self.environment |= {"PYTHONPATH": str(ROOT), "STUDIO_SPOOL_DIR": str(self.spool)}
        self.environment |= {"STUDIO_URL": studio.url, "STUDIO_MONITOR": "0"}
        self.environment |= {"STUDIO_TOKEN": str(studio.config["token"])}
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(script), *map(str, arguments)],
                cwd=folder,
                env=self.environment,
                stdout=out,
                stderr=err,
            )

    def words(self) -> list[str]:
        return (self.folder / "out").read_text().split()

    @property
    def errors(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def run(self) -> Any:
        """The run whose id it printed first."""
        return self.studio.workspace.get_run(self.words()[0])

    def spooled_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.spool.glob("*.spool"))

    def ended(self, code: int, timeout_s: float = 120) -> None:
        """Require that it ends with this exit code."""
        assert self.process.wait(timeout_s) == code, self.errors[-3000:]

    def sync(self) -> subprocess.CompletedProcess[str]:
        """`studio sync`, as the person who ran the program types it."""
        return subprocess.run(
            [sys.executable, "-m", "studio.cli", "sync"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


def balance(stored: Iterable[float], *, acknowledged: set[float], attempted: set[float]) -> int:
    """Require acknowledged ⊆ stored ⊆ attempted, each value once; how many are stored."""
    counted = Counter(stored)
    doubled = [value for value, n in counted.items() if n > 1]
    assert doubled == [], f"{len(doubled)} values are stored twice, such as {doubled[0]}"
    lost = acknowledged - set(counted)
    assert not lost, f"{len(lost)} acknowledged values are lost, such as {min(lost)}"
    made_up = set(counted) - attempted
    assert not made_up, f"stored, though nobody logged it: {made_up}"
    return len(counted)
