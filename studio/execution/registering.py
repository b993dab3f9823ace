"""A worker signs on: under a name that no worker of another host has."""

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.models import Worker
from studio.compute.targets import lock, target_to_serve

NODE_RULE = r"[^\s/,*?#%\x00-\x1f]{1,200}"


class NodeBusy(Exception):
    """Another live process already is this node."""


class WrongNode(Exception):
    """A name that no node can have."""


def register(target_name: str, *, n_slots: int, node: str = "") -> Worker:
    """The row of this process. Without a `node` it is called HOST-TARGET, and something more when
    a worker of another host has that name.

    Raises NodeBusy, WrongNode or WrongTarget.
    """
    if node and not re.fullmatch(NODE_RULE, node):
        raise WrongNode(
            "The name of a worker has 1 to 200 characters, no spaces and none of / , * ? # %."
        )
    host = socket.gethostname()
    target = target_to_serve(target_name, by=Actor.system(f"worker on {host}"))
    machine = this_machine()
    with transaction.atomic():
        # Two hosts of one name that start at the same moment take turns.
        lock(target)
        if not node:
            node = _own_name(f"{host}-{target_name.replace('/', '-')}", machine)
        _take_over(node, machine)
        return Worker.objects.create(
            node=node,
            host=host,
            machine=machine,
            pid=os.getpid(),
            target=target,
            n_slots=n_slots,
            version=settings.STUDIO_VERSION,
        )


def _own_name(name: str, machine: str) -> str:
    """`name`, unless it is another host's: a name must find this node's runs again after it died,
    and never those of another."""
    same = Worker.objects.filter(node=name).order_by("-pk").first()
    if same is None or not _is_elsewhere(same, machine):
        return name
    return f"{name}-{hashlib.sha256(machine.encode()).hexdigest()[:6]}"


def _is_elsewhere(other: Worker, machine: str) -> bool:
    """Whether `other` ran on another host. A copy of a host carries its id, but not its boot."""
    if not other.machine or other.machine == machine:
        return False
    if other.machine.partition("/")[0] != machine.partition("/")[0]:
        return True
    return other.is_live


def _take_over(node: str, machine: str) -> None:
    for other in Worker.objects.filter(node=node, stopped_at=None):
        if is_alive(other, machine):
            raise NodeBusy(
                f"A worker called “{node}” already runs on {other.host} (process "
                f"{other.pid}). Stop it, or start this one with --node and another name."
            )
        Worker.objects.filter(pk=other.pk).update(stopped_at=timezone.now(), was_lost=True)


def is_alive(other: Worker, machine: str) -> bool:
    """Whether the process that registered as `other` still runs: here by its number and start
    time (numbers are used again), elsewhere by its beats."""
    if other.machine != machine:
        return other.is_live
    try:
        process = psutil.Process(other.pid)
        began_before = process.create_time() <= other.started_at.timestamp() + 1
        return began_before and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def this_machine() -> str:
    """`HOST/BOOT`: two processes with the same text see each other by their numbers. HOST outlives
    a restart of the host, and may be that of the image it was made from."""
    host, *boot = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in _signs())
    return f"{host}/{'-'.join(boot)}"


def _signs() -> Iterator[str]:
    """Host, boot and the space of process numbers; "" for what this system does not tell."""
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        try:
            yield Path(path).read_text().strip()
        except OSError:
            yield ""
    try:
        yield os.readlink("/proc/self/ns/pid")
    except OSError:
        yield ""
