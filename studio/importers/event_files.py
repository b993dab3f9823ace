"""TensorBoard's event files: records with checksums, each a message, and what their values are.

A record: its length as uint64, the length's checksum, the bytes, their checksum, all little-endian
(the TFRecord format). The messages are those of `tensorboardX`, which needs no TensorFlow.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from google.protobuf.message import DecodeError
from google_crc32c import value as crc32c

from studio.importers.sources import no_tick

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
# Longer than any record that was written on purpose.
MAX_RECORD_BYTES = 256 << 20
_NUMBERS = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
    19: ("<f2", "half_val"),
}
_STRING, _HALF = 7, 19


class Corrupt(Exception):
    """A record whose checksum is wrong; what follows it can't be found."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the record at byte {offset:,} is damaged; what follows was left out")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Logged:
    """One value of an event. kind: scalar, text, image, hparams or, of what is left out, the name
    that people know it by. value: of an image its first bytes. offset, index: the record, and which
    of its values."""

    tag: str
    kind: str
    step: int
    time: float
    value: Any
    offset: int = 0
    index: int = 0


def records(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each whole record. One that is cut off at the end is where a writer is
    at this moment, and ends the file. Raises Corrupt."""
    while True:
        offset = stream.tell()
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        n_bytes, check = _HEAD.unpack(head)
        if _masked(head[:8]) != check or n_bytes > MAX_RECORD_BYTES:
            raise Corrupt(offset)
        data, tail = stream.read(n_bytes), stream.read(_TAIL.size)
        if len(data) < n_bytes or len(tail) < _TAIL.size:
            return
        if _masked(data) != _TAIL.unpack(tail)[0]:
            raise Corrupt(offset)
        yield offset, data


def _masked(data: bytes) -> int:
    check: int = crc32c(data)
    return ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF


class EventFile:
    """The values of one file. Which plugin a tag belongs to is said with its first value only."""

    def __init__(self, path: Path, tick: Callable[[], None] = no_tick) -> None:
        self.path, self._tick = path, tick
        self._plugins: dict[str, str] = {}

    def values(self) -> Iterator[Logged]:
        """Every value in the order of the file; first, as kind "begin", the time of each event
        without any. Raises Corrupt and OSError."""
        message = _event_type()
        with self.path.open("rb") as stream:
            for offset, data in records(stream):
                self._tick()
                try:
                    event = message.FromString(data)
                except DecodeError as error:
                    raise Corrupt(offset) from error
                if not event.HasField("summary"):
                    yield Logged("", "begin", 0, event.wall_time, None, offset)
                for index, value in enumerate(event.summary.value):
                    kind, read = self._read(value)
                    yield Logged(value.tag, kind, event.step, event.wall_time, read, offset, index)

    def _read(self, value: Any) -> tuple[str, Any]:
        if plugin := value.metadata.plugin_data.plugin_name:
            self._plugins[value.tag] = plugin
        plugin, form = self._plugins.get(value.tag, ""), value.WhichOneof("value")
        if plugin == "hparams":
            return "hparams", value.metadata.plugin_data.content
        if form == "simple_value":
            return "scalar", float(value.simple_value)
        if form == "image":
            return "image", value.image.encoded_image_string[:4]
        if form == "tensor":
            return _read_tensor(value.tensor, plugin)
        names = {"histo": "histogram", "obsolete_old_style_histogram": "histogram"}
        return names.get(form or "", form or plugin or "value"), None


def image_bytes(path: Path, offset: int, index: int) -> bytes:
    """The encoded image of one value."""
    with path.open("rb") as stream:
        stream.seek(offset)
        _, data = next(records(stream))
    value = _event_type().FromString(data).summary.value[index]
    if value.WhichOneof("value") == "image":
        return bytes(value.image.encoded_image_string)
    return bytes(value.tensor.string_val[2])


def _event_type() -> Any:
    from tensorboardX.proto.event_pb2 import Event

    return Event


def _read_tensor(tensor: Any, plugin: str) -> tuple[str, Any]:
    """(kind, value) of a value written by TensorFlow 2; images have width, height and then PNGs."""
    if tensor.dtype == _STRING:
        if plugin == "images" and len(tensor.string_val) > 2:
            return "image", tensor.string_val[2][:4]
        texts = [text.decode("utf-8", "replace") for text in tensor.string_val]
        return ("text", "\n".join(texts)) if plugin in ("text", "") else (plugin, None)
    try:
        numbers = _numbers(tensor) if plugin in ("scalars", "") else None
    except OverflowError:
        # Whoever wrote it put numbers into it that are not of the type it names.
        numbers = None
    if numbers is not None and numbers.size:
        if numbers.size == 1:
            return "scalar", float(numbers[0])
        return "tensor", None
    return {"histograms": "histogram"}.get(plugin, plugin or "tensor"), None


def _numbers(tensor: Any) -> Any:
    if tensor.dtype not in _NUMBERS:
        return None
    kind, name = _NUMBERS[tensor.dtype]
    if tensor.tensor_content:
        n_bytes = np.dtype(kind).itemsize
        content = tensor.tensor_content
        return np.frombuffer(content[: len(content) // n_bytes * n_bytes], kind)
    listed = list(getattr(tensor, name))
    if tensor.dtype == _HALF:
        return np.array(listed, "<u2").view("<f2")
    return np.array(listed, kind)


def hparams_of(content: bytes) -> tuple[dict[str, str], int | None]:
    """(parameters, how the session ended: 1 success, 2 failure, 3 running, None unsaid)."""
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    try:
        data = HParamsPluginData.FromString(content)
    except DecodeError:
        return {}, None
    ended = data.session_end_info.status if data.HasField("session_end_info") else None
    pairs = sorted(data.session_start_info.hparams.items())
    return {name: _plain(value) for name, value in pairs}, ended


def _plain(value: Any) -> str:
    form = value.WhichOneof("kind")
    if form == "number_value":
        number = value.number_value
        is_whole = number.is_integer() and abs(number) < 2**53
        return str(int(number)) if is_whole else repr(number)
    if form == "bool_value":
        return str(value.bool_value)
    return str(value.string_value)
