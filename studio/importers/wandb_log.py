"""The transaction log of a W&B run (`run-ID.wandb`): blocks of records, each a protobuf message.

The frame is that of LevelDB's logs behind a head of seven bytes; the fields are those of the public
`wandb_internal.proto`, of which only what is used is described here. The package itself is not
needed: since 0.2x its reader is a program without an interface, and numbers of fields stay.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

BLOCK_BYTES = 32 * 1024
# W&B itself advises at most 25 MB; as JSON it takes 25 times as much memory at the worst.
MAX_RECORD_BYTES = 32 << 20
_HEAD = b":W&B\xe1\xbe\x00"
_RECORD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# message -> (field, number, type): "*" is repeated, a capital is another message.
_FIELDS = {
    "Item": "key 1 s, nested_key 2 *s, value_json 16 s",
    "Stamp": "seconds 1 i, nanos 2 i",
    "Git": "remote_url 1 s, commit 2 s",
    "Config": "update 1 *Item",
    "Summary": "update 1 *Item",
    "Step": "num 1 i",
    "History": "item 1 *Item, step 2 Step",
    "Sample": "key 1 s, value_json 16 s",
    "Stats": "timestamp 2 Stamp, item 3 *Sample",
    "Exit": "exit_code 1 i, runtime 2 i",
    "Environment": "os 1 s, python 2 s, program 6 s, git 9 Git, host 12 s",
    "Run": "run_id 1 s, entity 2 s, project 3 s, config 4 Config, summary 5 Summary, "
    "run_group 6 s, job_type 7 s, display_name 8 s, notes 9 s, tags 10 *s, sweep_id 12 s, "
    "host 13 s, start_time 17 Stamp, runtime 20 i, git 21 Git",
    "Record": "history 2 History, summary 3 Summary, config 5 Config, run 17 Run, exit 18 Exit, "
    "environment 26 Environment, stats 7 Stats",
}
_PACKAGE = "studio_wandb"


class Damaged(ValueError):
    """A record whose checksum is wrong, or a file that is no such log."""


def messages(path: Path) -> Iterator[Any]:
    """Every message of the log. One that is cut off at the end is where a writer is at this moment,
    and ends it. Raises Damaged and OSError."""
    record = _record_type()
    with path.open("rb") as stream:
        if stream.read(len(_HEAD)) != _HEAD:
            raise Damaged(f"{path.name} is no log of W&B")
        for offset, data in _records(stream):
            try:
                yield record.FromString(data)
            except DecodeError as error:
                raise Damaged(_told(offset)) from error


def _records(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each record, put together from its parts."""
    held = bytearray()
    while True:
        offset = stream.tell()
        left = BLOCK_BYTES - offset % BLOCK_BYTES
        if left < _RECORD.size:
            stream.read(left)
            continue
        head = stream.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return
        check, n_bytes, kind = _RECORD.unpack(head)
        data = stream.read(n_bytes)
        if len(data) < n_bytes:
            return
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != check:
            raise Damaged(_told(offset))
        if kind in (_FULL, _FIRST):
            held.clear()
        held += data
        if len(held) > MAX_RECORD_BYTES:
            raise Damaged(
                f"the record at byte {offset:,} has more than {MAX_RECORD_BYTES:,} bytes; it and "
                "what follows were left out"
            )
        if kind in (_FULL, _LAST):
            yield offset, bytes(held)


def _told(offset: int) -> str:
    return f"the record at byte {offset:,} is damaged; what follows was left out"


@lru_cache(maxsize=1)
def _record_type() -> Any:
    """The class of `Record`, made of _FIELDS."""
    file = descriptor_pb2.FileDescriptorProto(
        name="studio_wandb.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            _add_field(message, *text.split(" "))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Record"))


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: str, kind: str) -> None:
    field = message.field.add(name=name, number=int(number))
    proto = descriptor_pb2.FieldDescriptorProto
    field.label = proto.LABEL_REPEATED if kind[0] == "*" else proto.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind in ("s", "i"):
        field.type = {"s": proto.TYPE_STRING, "i": proto.TYPE_INT64}[kind]
    else:
        field.type, field.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
