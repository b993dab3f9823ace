"""What a file of a run may be called. A label, never a path on disk. Pure."""

import re
import unicodedata

from studio.runs.limits import Invalid, clean_text, is_visible

MAX_PATH = 5_000
# C0, DEL, C1; and what no UTF-8 can hold.
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_path(label: object, *, field: str = "path") -> str:
    """`label` as it is stored: NFC, relative, '/'-separated, no empty, '.' or '..' parts.

    Everything else is taken as it comes: backslashes, drive letters and an encoded "..%2f" are
    plain characters of a name, and nothing is decoded. Raises Invalid.
    """
    text = clean_text(label, field=field, most=MAX_PATH, allow_empty=False)
    if _UNSTORABLE.search(text):
        raise Invalid(field, "A file name can't hold control characters.")
    for part in text.split("/"):
        if part in {"", ".", ".."} or not is_visible(part):
            raise Invalid(
                field, f"“{text[:80]}” is not a plain relative path: no empty, “.” or “..” parts."
            )
    return text


def storable_path(path: str) -> str:
    """A path found on a disk as a label that `clean_path` takes: U+FFFD for what it refuses."""
    text = _UNSTORABLE.sub("\ufffd", unicodedata.normalize("NFC", path))[-MAX_PATH:]
    return "/".join(part if is_visible(part) else "\ufffd" for part in text.split("/"))
