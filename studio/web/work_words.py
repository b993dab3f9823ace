"""Background work in sentences: what it does, and what came of it."""

from typing import Any

from studio.artifacts.uploads import CHECK, IMPORT
from studio.bulk.expiry import EXPIRE
from studio.bulk.log_searching import LOG_SEARCH
from studio.bulk.undoing import UNDO
from studio.web.bulk_offers import runs
from studio.web.formats import size
from studio.work.models import State, Work

MAX_WORDS = 60
# While it goes on, and once it is over. {n}: «412 runs»; {to}: an experiment; {bytes}: «4.2 GB».
WORDS = {
    "cancel": ("Cancelling {n}", "Cancel requested for {n}"),
    "tags": ("Changing tags of {n}", "Tags changed on {n}"),
    "star": ("Starring {n}", "{n} starred"),
    "unstar": ("Removing the star from {n}", "Star removed from {n}"),
    "move": ("Moving {n} to “{to}”", "{n} moved to “{to}”"),
    "archive": ("Archiving {n}", "{n} archived"),
    "unarchive": ("Unarchiving {n}", "{n} unarchived"),
    "delete": ("Deleting {n}", "{n} moved to the trash"),
    "restore": ("Restoring {n}", "{n} restored"),
    "purge": ("Purging {n}", "{n} purged, {bytes} freed"),
    "tag-rename": ("Renaming the tag “{tag}” to “{to}” on {n}", "“{tag}” is “{to}” now on {n}"),
    "tag-replace": (
        "Changing “{tag}: {value}” to “{to}” on {n}",
        "“{tag}: {value}” is “{to}” now on {n}",
    ),
    "tag-delete": ("Removing the tag “{tag}” from {n}", "“{tag}” removed from {n}"),
    UNDO: ("Putting back the tags of {n}", "Tags put back on {n}"),
    LOG_SEARCH: ("Searching the logs of {n}", "Logs of {n} searched"),
    CHECK: ("Looking through {file}", "{file} looked through: {n} to import"),
    IMPORT: ("Importing {file}", "{n} imported from {file}"),
    EXPIRE: ("Emptying the trash of {n}", "{n} purged from the trash, {bytes} freed"),
}


def name_of(work: Work) -> str:
    """The key of WORDS that fits, the kind of a work nobody wrote words for."""
    name = str(work.arguments.get("action", work.kind))
    if name == "star" and not work.arguments["arguments"].get("starred", True):
        return "unstar"
    return name


def doing(work: Work) -> str:
    """«Changing tags of 412 runs»."""
    words = WORDS.get(name_of(work), (f"Background work “{work.kind}”", ""))[0]
    return words.format(**_facts(work, work.n_total))


def outcome(work: Work) -> str:
    """What is so now: «Tags changed on 410 runs, 2 left out». Before the end, what goes on."""
    if work.is_open:
        return doing(work)
    did = WORDS.get(name_of(work), ("", "Background work of {n} is over"))[1]
    done = did.format(**_facts(work, work.n_done))
    if work.state == State.FAILED:
        return f"{doing(work)} failed: {work.result.get('error', 'nobody knows why')}"
    if work.state == State.CANCELED:
        return f"Stopped. {done}, {work.n_left:,} left as they were" if work.n_done else "Stopped"
    left_out = work.n_skipped + work.n_failed
    return f"{done}, {left_out:,} left out" if left_out else done


def _facts(work: Work, n: int | None) -> dict[str, Any]:
    arguments, rewrite = (work.arguments.get(name, {}) for name in ("arguments", "rewrite"))
    return {
        "n": runs(n),
        "to": _short(rewrite["to"] or "no value") if rewrite else arguments.get("experiment", ""),
        "tag": _short(rewrite.get("key", "")),
        "value": _short(rewrite.get("value") or "no value"),
        "file": _short(str(work.arguments.get("file", ""))),
        "bytes": size(work.result.get("n_bytes", 0)),
    }


def _short(text: str) -> str:
    """A key or a value as far as a sentence has room for it."""
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"
