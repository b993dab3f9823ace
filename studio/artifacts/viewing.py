"""What kind of file it is, for a page that shows it."""

from studio.artifacts import logs
from studio.artifacts.models import Artifact

TEXT_TYPES = ("text/", "application/json", "application/x-yaml", "application/yaml")
TEXT_ENDINGS = (".txt", ".log", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv", ".md", ".py")
HEAD_BYTES = 1024
IMAGE_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def image_type(artifact: Artifact) -> str:
    """The type of an image by its first bytes, "" for anything else (SVG is a program, not one)."""
    return type_of_image(logs.read_window(artifact, 0, 16).data)


def type_of_image(head: bytes) -> str:
    """The type of an image that begins with these 16 bytes, "" for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in IMAGE_STARTS.items() if head.startswith(start)), "")


def is_text(artifact: Artifact) -> bool:
    """Whether it can be read: a log, something of a text type, or without NUL at its beginning."""
    if artifact.is_log or artifact.content_type.startswith(TEXT_TYPES):
        return True
    if artifact.path.lower().endswith(TEXT_ENDINGS):
        return True
    head = logs.read_window(artifact, 0, HEAD_BYTES).data
    try:
        head.decode("ascii")
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
