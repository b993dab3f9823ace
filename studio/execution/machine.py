"""What the page Compute says of a worker's machine."""

import contextlib
import os
import platform
from pathlib import Path
from typing import Any

import psutil

from studio.wire.sampling import gpus_now


class Machine:
    """Looks at the machine of this process. A thread of its own does, and the beat takes `facts`:
    a graphics driver or a disk that hangs must not make the worker look dead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        psutil.cpu_percent()  # counts from here on
        self._fixed: dict[str, Any] = {
            "n_cpus": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "python": platform.python_version(),
        }
        self.facts: dict[str, Any] = self._fixed

    def look(self) -> None:
        """Renew `facts`: percent and bytes as of now, GPUs as `gpus_now` says; without what the
        machine does not tell."""
        found = self._fixed | {"cpu_percent": psutil.cpu_percent()}
        found |= {"memory_percent": psutil.virtual_memory().percent}
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            disk = psutil.disk_usage(str(self._folder))
            found |= {"disk_free_bytes": disk.free, "disk_percent": disk.percent}
        if gpus := gpus_now():
            found["gpus"] = gpus
        self.facts = found
