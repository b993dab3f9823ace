"""Logs of W&B with what no run ever wrote in them."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from studio.importers.wandb_log import BLOCK_BYTES, _record_type

FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def record(**parts: Any) -> Any:
    """A record of a log: `run={"project": "vision"}`, `history=[{"loss": 1}, …]`."""
    made = _record_type()()
    if "run" in parts:
        for name, value in parts["run"].items():
            setattr(made.run, name, value)
    if "start_s" in parts:
        made.run.start_time.seconds = parts["start_s"]
    if "runtime_s" in parts:
        made.exit.runtime = parts["runtime_s"]
    for key, value in parts.get("config", {}).items():
        made.config.update.add(key=key, value_json=value)
    for key, value in parts.get("history", {}).items():
        made.history.item.add(
            key=key, value_json=value if isinstance(value, str) else json.dumps(value)
        )
    if "sample_s" in parts:
        made.stats.timestamp.seconds = parts["sample_s"]
        made.stats.item.add(key="cpu", value_json="1")
    return made


def write(folder: Path, *records: Any) -> Path:
    """A log of these records below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    data = bytearray(b":W&B\xe1\xbe\x00")
    for one in records:
        _add(data, one.SerializeToString())
    (folder / "run-a.wandb").write_bytes(data)
    return folder


def _add(data: bytearray, content: bytes) -> None:
    is_first = True
    while is_first or content:
        left = BLOCK_BYTES - len(data) % BLOCK_BYTES
        if left < 7:
            data += bytes(left)
            continue
        part, content = content[: left - 7], content[left - 7 :]
        kinds = (MIDDLE, LAST) if not is_first else (FIRST, FULL)
        kind = kinds[not content]
        data += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind)
        data += part
        is_first = False
