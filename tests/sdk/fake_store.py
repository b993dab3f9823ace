"""What the fake studio holds, and the faults it can be told to have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """`kind`: "503", "500", "reset" (stored, then the connection is reset), "drop" (reset before
    storing), "slow" (answers after `seconds`), or any 4xx as text."""

    kind: str
    path: str = "/batches"
    seconds: float = 0.0
    retry_after: str | None = None


@dataclass
class Store:
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    points: dict[tuple[str, str], list[tuple[Any, float, Any]]] = field(default_factory=dict)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)
    batches: set[str] = field(default_factory=set)
    n_duplicates: int = 0
    heartbeats: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    logs: dict[tuple[str, str], bytearray] = field(default_factory=dict)
    artifacts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    snapshots: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    cancel: dict[str, dict[str, Any]] = field(default_factory=dict)


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        self.status = status
        self.error = {"code": code, "message": message, **extra}
