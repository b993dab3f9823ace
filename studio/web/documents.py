"""Whether a logged document can be drawn, and in words why not. Pure.

The wire refuses wrong shapes; what is empty, of a version to come, or was stored in another way
gets here.
"""

import json
from typing import Any

from studio.metrics.models import Kind
from studio.wire import Series, WireError

# Of "1.0.1", what says that its fields mean what they do here.
KNOWN_VERSION = "1."
# What must hold something.
NEEDED = {
    Kind.CONFUSION_MATRIX: ("class_labels",),
    Kind.ACCURACY_TABLE: ("class_labels", "probability_thresholds"),
    Kind.RESIDUALS: ("bin_counts",),
    Kind.PREDICTIONS: ("bin_counts",),
}
MAX_JSON = 100_000


def is_document(kind: str) -> bool:
    return kind in NEEDED


def problem_of(kind: str, document: Any) -> str:
    """Why the document cannot be drawn; "" when it can."""
    try:
        Series.parse({"name": "document", "kind": kind, "times": [0.0], "values": [document]})
    except WireError as wrong:
        field = wrong.path.removeprefix(".values[0]").lstrip(".") or "the document"
        return f"{field} {wrong.message}"
    version = str(document.get("schema_version", KNOWN_VERSION))
    if not version.startswith(KNOWN_VERSION):
        return f"the schema version {version[:40]} is not known here"
    empty = [key for key in NEEDED[Kind(kind)] if not document["data"][key]]
    return f"{empty[0]} is empty" if empty else ""


def raw_json(document: Any) -> str:
    """The document as it was logged, indented; of a very long one the beginning."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text if len(text) <= MAX_JSON else f"{text[:MAX_JSON]}…"
