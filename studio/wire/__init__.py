"""Messages between client and server, standard library only.

`measures` names what machines are measured by, and `sampling`, for whoever has psutil, measures.

`Message.parse(json_value)` returns the message or raises `WireError` with the path of the first
wrong field ("metrics[3].values"); unknown fields are refused. `dump()` gives JSON-ready values.
Numbers that JSON lacks travel as "NaN", "Infinity", "-Infinity".
"""

from studio.wire.checks import (
    DIGEST,
    EXPERIMENT,
    MAX_DESCRIPTION,
    MAX_INT,
    MAX_LABEL,
    MAX_NAME,
    MAX_TEXT,
    UID,
    WireError,
    label,
)
from studio.wire.columns import KINDS, MAX_COLUMNS, dump_numbers, load_numbers
from studio.wire.messages import (
    MAX_CHILDREN,
    MAX_POINTS,
    RUN_TYPES,
    Batch,
    CanceledRequest,
    CancelRequest,
    ChildCreate,
    ChildrenCreate,
    DigestList,
    Environment,
    ErrorInfo,
    FailRequest,
    FileEntry,
    Heartbeat,
    Message,
    ParameterChange,
    PropertyChange,
    RunCreate,
    RunPatch,
    Series,
    SnapshotCreate,
    Submit,
    TagChange,
    WorkspaceCreate,
)

STATUSES = (
    *("NotStarted", "Starting", "Preparing", "Queued", "Running", "Finalizing"),
    *("CancelRequested", "NotResponding", "Completed", "Failed", "Canceled"),
)
# So often a client says that its run is alive; the answer tells it of a cancel.
BEAT_EVERY_S = 20.0
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})

__all__ = [
    "BEAT_EVERY_S",
    "DIGEST",
    "EXPERIMENT",
    "KINDS",
    "MAX_CHILDREN",
    "MAX_COLUMNS",
    "MAX_DESCRIPTION",
    "MAX_INT",
    "MAX_LABEL",
    "MAX_NAME",
    "MAX_POINTS",
    "MAX_TEXT",
    "RUN_TYPES",
    "STATUSES",
    "TERMINAL",
    "UID",
    "Batch",
    "CanceledRequest",
    "CancelRequest",
    "ChildCreate",
    "ChildrenCreate",
    "DigestList",
    "Environment",
    "ErrorInfo",
    "FailRequest",
    "FileEntry",
    "Heartbeat",
    "Message",
    "ParameterChange",
    "PropertyChange",
    "RunCreate",
    "RunPatch",
    "Series",
    "SnapshotCreate",
    "Submit",
    "TagChange",
    "WireError",
    "WorkspaceCreate",
    "dump_numbers",
    "label",
    "load_numbers",
]
