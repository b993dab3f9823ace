"""Real pictures for tests: PNG files made of bytes, logged as a client logs them; and those of the
docs made small."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

from studio.artifacts.actions import put_artifact
from tests import make
from tests.browser import charting


def png(shade: int, *, side: int = 24) -> bytes:
    """A square of one grey with a dark diagonal."""
    rows = [
        bytes([0]) + bytes(20 if x == y else shade % 256 for x in range(side)) for y in range(side)
    ]
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def small(data: bytes, *, colours: int = 128) -> bytes:
    """A PNG of so few colours, which is as good for a page and a third of the size."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    out = io.BytesIO()
    few = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def log_images(run: Any, name: str, steps: list[int], *, shades: int = 40) -> list[str]:
    """Log a picture at each step, lighter and lighter; returns their paths."""
    paths = [f"images/{name.replace('/', '_')}_{i}.png" for i in range(len(steps))]
    for i, path in enumerate(paths):
        data = io.BytesIO(png(60 + i * shades))
        put_artifact(run, path, data, by=make.actor(run.submitter))
    log_paths(run, name, steps, paths)
    return paths


def log_paths(run: Any, name: str, steps: list[int], paths: list[str]) -> None:
    """Log images that are not, or not yet, among the files."""
    series = charting.others(name, "image", [{"path": path} for path in paths])
    charting.log(run, {**series, "steps": steps})
