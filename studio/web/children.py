"""The processes that `up` keeps alive: started in their own session, restarted when they die."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time

from django.conf import settings

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Linux: be told to stop when the supervisor dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Child:
    """One `manage.py` process; starting again waits longer each time it dies young."""

    def __init__(
        self, name: str, arguments: list[str], *, replaced_by: signal.Signals = signal.SIGTERM
    ) -> None:
        self.name = name
        self.replaced_by = replaced_by  # the signal that ends it when another one follows at once
        self.command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.pause_s = 0.2
        self.start_at = 0.0
        self.n_ends = 0  # how often it ended by itself

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "studio.settings"},
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )

    def keep_alive(self) -> None:
        """Start the process again when it died: at once the first time, then with pauses."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.n_ends += 1
        lived_s = time.monotonic() - self.started
        self.pause_s = 0.2 if lived_s > 30 else min(self.pause_s * 2, 15.0)
        logger.warning("%s ended (%s); starting it again in %.1f s", self.name, code, self.pause_s)
        self.process, self.start_at = None, time.monotonic() + self.pause_s

    def ask_to_stop(self, *, is_replaced: bool = False) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.replaced_by if is_replaced else signal.SIGTERM)

    def wait_or_kill(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not stop in time and was killed", self.name)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
