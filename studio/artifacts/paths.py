"""What a file of a run may be called. A label, never a path on disk. Pure."""

from studio.runs.limits import Invalid, clean_text

MAX_PATH = 5_000


def clean_path(label: str) -> str:
    """A relative, '/'-separated label without empty, '.' or '..' parts or control characters.

    The label is taken as it comes: nothing is decoded, so an encoded "..%2f" stays a plain name.
    """
    text = clean_text(label, field="path", most=MAX_PATH, allow_empty=False)
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise Invalid("path", "A file name can't hold control characters.")
    if any(part in {"", ".", ".."} for part in text.split("/")):
        raise Invalid(
            "path", f"“{text[:80]}” is not a plain relative path: no empty, “.” or “..” parts."
        )
    return text
