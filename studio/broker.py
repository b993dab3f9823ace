"""`safefs://`: Celery messages as files in a folder, safe for many processes on one machine.

kombu's own filesystem transport writes messages in place, so a consumer can read half a message
and die of it. Here a message appears by rename, is claimed by rename (exactly one consumer wins)
and stays on disk as a claim until it is acknowledged. The claims of a dead process are offered
again; an unreadable file is dropped with an error in the log and never stops a worker.

Layout: `<data_folder_in>/q-<queue>/<wall clock ns>_<uuid>.<n returned>.msg`, claimed as
`.<same name>~<machine>~<pid>~<process start>`. Importing this module registers the scheme.

Transport options: `data_folder_in` and `control_folder` (paths), `polling_interval` (seconds),
`claim_timeout_s` (600: age after which a claim whose owner can't be checked is offered again).
"""
# kombu marks itself as typed, yet most of its functions carry no annotations:
# mypy: disable-error-code="no-untyped-call"

import fcntl
import hashlib
import logging
import os
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import quote

from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

MESSAGE = re.compile(r"\A\d{20}_[0-9a-f]{32}\.(\d{1,4})\.msg\Z")
CLAIM = re.compile(r"\A\.(\d{20}_[0-9a-f]{32}\.\d{1,4}\.msg)~([0-9a-f]+)~(\d+)~(\d+)\Z")
MAX_RETURNS = 3  # a message that killed so many consumers is dropped
STALE_CHECK_S = 5.0
ABANDONED_AFTER_S = 600.0  # a control queue nobody read for so long has no reader
MAX_NAME = 180
LONGEST_WAIT_S = 0.3

Binding = filesystem.exchange_queue_t


def _safe_name(name: str) -> str:
    """One path component for any text; different texts give different names."""
    text = quote(name, safe="@")
    if len(text) > MAX_NAME:
        text = text[:80] + "-" + hashlib.sha256(name.encode()).hexdigest()
    return text


@cache
def _machine_id() -> str:
    """Names the pid space of this process: pids are comparable only inside one."""
    parts = [str(uuid.getnode())]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text())
        except OSError:
            parts.append("-")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _process_start(pid: int) -> str:
    """The start tick of a live process; "0" when it is dead or can't be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "0" if fields[0] in "ZX" else fields[19]


def _owner_is_dead(machine: str, pid: int, start: str) -> bool | None:
    """Whether the claiming process is gone; None when that can't be known from here."""
    if machine != _machine_id() or start == "0":
        return None
    return _process_start(pid) != start


class QoS(virtual.QoS):
    """Acknowledging removes the claim from disk; a requeue gives the message back in its place."""

    def ack(self, delivery_tag: str) -> None:
        self.channel.settle(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        super().reject(delivery_tag, requeue=requeue)
        self.channel.settle(delivery_tag)


class Channel(filesystem.Channel):
    """One thread's view of the queues."""

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed: dict[str, deque[str]] = {}
        self._claims: dict[str, Path] = {}  # delivery tag -> claim file
        self._no_ack: set[str] = set()
        self._checked_at: dict[str, float] = {}

    # -- folders ---------------------------------------------------------------------------

    def _folder(self, queue: str) -> Path:
        return Path(self.data_folder_in) / f"q-{_safe_name(queue)}"

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._folder(queue).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._folder(queue).is_dir()

    def _names(self, queue: str) -> list[str]:
        """Waiting messages, oldest first."""
        try:
            return sorted(name for name in os.listdir(self._folder(queue)) if MESSAGE.match(name))
        except OSError as error:  # missing, or out of reach for now: a reader tries again anyway
            logger.debug("queue %s can't be read: %s", queue, error)
            return []

    # -- producing -------------------------------------------------------------------------

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        data = dumps(payload).encode()
        try:
            self._write(self._folder(queue), data)
        except FileNotFoundError:  # new, or auto-deleted by its last reader a moment ago
            self._new_queue(queue)
            self._write(self._folder(queue), data)

    def _write(self, folder: Path, data: bytes) -> None:
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.0.msg"
        unfinished = folder / f".{name}.tmp"
        try:
            with open(unfinished, "xb", opener=_private) as file:
                file.write(data)
            os.rename(unfinished, folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _put_fanout(self, exchange: str, payload: Any, routing_key: str, **kwargs: Any) -> None:
        for binding in self.get_table(exchange):
            names = self._names(binding.queue)
            if names and time.time() - int(names[0][:20]) / 1e9 > ABANDONED_AFTER_S:
                logger.info("control queue %s has no reader, removed", binding.queue)
                self._unbind(exchange, binding)
                self._drop_folder(binding.queue)
            else:
                self._put(binding.queue, payload)

    # -- consuming -------------------------------------------------------------------------

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> None:
        (self._no_ack.add if no_ack else self._no_ack.discard)(queue)
        super().basic_consume(queue, no_ack, *args, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and no_ack:
            self.settle(message.delivery_tag)
        return message

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        self._return_dead_claims(queue)
        listed = self._listed.setdefault(queue, deque())
        if not listed:
            listed.extend(self._names(queue))
        while listed:
            claim = self._claim(self._folder(queue), listed.popleft())
            payload = self._read(claim) if claim else None
            if claim is None or payload is None:
                continue
            tag = payload["properties"]["delivery_tag"] = uuid.uuid4().hex
            if queue in self._no_ack:
                claim.unlink(missing_ok=True)
            else:
                self._claims[tag] = claim
            return payload
        raise Empty

    def _claim(self, folder: Path, name: str) -> Path | None:
        pid = os.getpid()
        claim = folder / f".{name}~{_machine_id()}~{pid}~{_process_start(pid)}"
        try:
            os.rename(folder / name, claim)  # atomic: exactly one consumer wins
            os.utime(claim)
        except FileNotFoundError:
            return None
        return claim

    def _read(self, claim: Path) -> Any:
        """The payload of a claimed file; None after dropping one that is not a message."""
        try:
            payload = loads(claim.read_bytes().decode())
            properties = payload["properties"]
            properties["delivery_info"].get("exchange")
            self.decode_body(payload.get("body") or "", properties.get("body_encoding"))
            return payload
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            # Anyone who may write here may write rubbish; it must not stop the other messages.
            logger.error("dropped an unreadable message %s: %s", claim.name, type(error).__name__)
            claim.unlink(missing_ok=True)
            return None

    def settle(self, delivery_tag: str) -> None:
        """Forget a claim for good: the message was acknowledged or rejected."""
        claim = self._claims.pop(delivery_tag, None)
        if claim is not None:
            claim.unlink(missing_ok=True)

    def _restore(self, message: Any) -> None:
        """Give an unacknowledged message back to its queue, in its old place."""
        claim = self._claims.pop(message.delivery_tag, None)
        if claim is not None and (match := CLAIM.match(claim.name)):
            _rename_if_there(claim, claim.with_name(match[1]))
            self._listed.clear()

    def _return_dead_claims(self, queue: str) -> None:
        now = time.monotonic()
        if now - self._checked_at.get(queue, -STALE_CHECK_S) < STALE_CHECK_S:
            return
        self._checked_at[queue] = now
        folder = self._folder(queue)
        try:
            hidden = [name for name in os.listdir(folder) if name.startswith(".")]
        except OSError:
            return
        for name in hidden:
            self._return_if_dead(folder / name)
        if hidden:
            self._listed.pop(queue, None)

    def _return_if_dead(self, path: Path) -> None:
        try:
            age_s = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return
        old = age_s > float(self.transport_options.get("claim_timeout_s", 600))
        match = CLAIM.match(path.name)
        if match is None:
            if old:  # half-written by a producer that died
                path.unlink(missing_ok=True)
            return
        dead = _owner_is_dead(match[2], int(match[3]), match[4])
        if dead or (dead is None and old):
            stem, n_returns = match[1].split(".")[0], int(match[1].split(".")[1]) + 1
            if n_returns > MAX_RETURNS:
                logger.error("dropped message %s: %d consumers died with it", stem, n_returns)
                path.unlink(missing_ok=True)
            else:
                _rename_if_there(path, path.with_name(f"{stem}.{n_returns}.msg"))

    # -- queues and bindings ---------------------------------------------------------------

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _purge(self, queue: str) -> int:
        n_removed = 0
        for name in self._names(queue):
            try:
                os.unlink(self._folder(queue) / name)
                n_removed += 1
            except FileNotFoundError:
                continue  # claimed meanwhile
        return n_removed

    def _drop_folder(self, queue: str) -> None:
        self._purge(queue)
        try:
            self._folder(queue).rmdir()
        except OSError:
            logger.debug("queue %s is still in use, folder kept", queue)

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any
    ) -> None:
        self._unbind(exchange, Binding(routing_key or "", pattern or "", queue or ""))
        self._drop_folder(queue)

    def _exchange_file(self, exchange: str) -> Path:
        return Path(self.control_folder) / f"x-{_safe_name(exchange)}.json"

    def get_table(self, exchange: str) -> list[Any]:
        """The bindings of an exchange. No lock: the file is only ever replaced whole."""
        try:
            rows = loads(self._exchange_file(exchange).read_text())
            return [Binding(*row) for row in rows]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            logger.error("exchange table %s is unreadable: %s", exchange, error)
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = Binding(routing_key or "", pattern or "", queue or "")
        self._new_queue(queue)
        self._change_table(exchange, lambda rows: rows if binding in rows else [binding, *rows])

    def _unbind(self, exchange: str, binding: Any) -> None:
        self._change_table(exchange, lambda rows: [row for row in rows if row != binding])

    def _change_table(self, exchange: str, change: Callable[[list[Any]], list[Any]]) -> None:
        file = self._exchange_file(exchange)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(file.with_suffix(".lock")):
            before = self.get_table(exchange)
            after = change(before)
            if after != before or not file.exists():
                unfinished = file.with_suffix(".tmp")
                unfinished.write_text(dumps(after))
                os.replace(unfinished, file)


class Transport(filesystem.Transport):
    """The kombu transport behind `safefs://`."""

    Channel = Channel
    driver_type = "filesystem"
    driver_name = "safefs"

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        # Celery asks whether it shall stop between two waits, and then waits once more: two
        # seconds each would hold up whoever stops or replaces a worker.
        short = None if timeout is None else min(timeout, LONGEST_WAIT_S)
        super().drain_events(connection, short, **kwargs)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _rename_if_there(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
    except FileNotFoundError:
        logger.debug("%s was already settled by another process", source.name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "a", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released with the file
        yield


TRANSPORT_ALIASES["safefs"] = "studio.broker:Transport"
