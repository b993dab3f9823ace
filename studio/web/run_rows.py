"""Rows of a table of runs, and how they stay live: on every page that lists runs."""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse

from studio.custom_views.state import ViewState
from studio.runs.models import Experiment, Run
from studio.runs.rollup import Rollup, rollups
from studio.web.access import Request

MAX_LIVE = 200
MAX_CHIPS = 2
# A tag with a longer value filters by its key alone.
MAX_IN_URL = 200
ITEM = struct.Struct(">QI")


@dataclass(frozen=True, slots=True)
class Chip:
    """A tag in a row; its link filters the list to it."""

    key: str
    value: str | None
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `chips` are the first tags, `more_tags` the others as text."""

    run: Run
    rollup: Rollup | None
    is_starred: bool
    chips: list[Chip]
    more_tags: list[str]

    @property
    def can_change(self) -> bool:
        return not self.run.is_terminal or bool(self.rollup and self.rollup.n_unfinished)

    @property
    def version(self) -> int:
        """Changes with everything in the row that changes by itself."""
        shown = f"{self.run.status_at.timestamp()}{self.rollup}{self.run.display_name}"
        return zlib.crc32(shown.encode())


@dataclass(frozen=True)
class Listing:
    """A list of runs: its page without a query, what its URL says, and its experiment if it has
    one. `has_counters` is whether the page shows the counters of the list."""

    base_url: str
    state: ViewState
    experiment: Experiment | None = None
    has_counters: bool = False
    _tag_urls: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def url(self, state: ViewState) -> str:
        return self.base_url + state.to_query()

    def tag_url(self, key: str, value: str | None) -> str:
        """The list filtered to a tag; each is made once, however many rows carry it."""
        found = self._tag_urls.get((key, value))
        if found is None:
            values = () if value is None or len(value) > MAX_IN_URL else (value,)
            found = self.url(self.state.with_term("tag", *values, name=key))
            self._tag_urls[key, value] = found
        return found


def rows_of(request: Request, listing: Listing, runs: list[Run]) -> list[Row]:
    """Rows with roll-ups and stars (2 queries)."""
    for run in runs:
        run.workspace = request.workspace
    ids = [run.pk for run in runs]
    children = rollups(ids)
    starred = set(request.user.stars.filter(run__in=ids).values_list("run", flat=True))
    return [_row(listing, run, children.get(run.pk), run.pk in starred) for run in runs]


def _row(listing: Listing, run: Run, rollup: Rollup | None, is_starred: bool) -> Row:
    tags = sorted(run.tags.all(), key=lambda tag: tag.key)
    return Row(
        run,
        rollup,
        is_starred,
        [Chip(tag.key, tag.value, listing.tag_url(tag.key, tag.value)) for tag in tags[:MAX_CHIPS]],
        [str(tag) for tag in tags[MAX_CHIPS:]],
    )


def live_url(request: Request, listing: Listing, rows: list[Row]) -> str:
    """Where the page asks for news of these rows; "" when none of them can change."""
    known = {row.run.pk: row.version for row in rows if row.can_change}
    if not known:
        return ""
    query = QueryDict(listing.state.first_page().to_query().removeprefix("?"), mutable=True)
    query["rows"] = pack(known)
    if listing.experiment is not None:
        query["experiment"] = listing.experiment.name
    if listing.has_counters:
        query["counters"] = "1"
    return reverse("run-list-live", args=[request.workspace.name]) + "?" + query.urlencode()


def pack(known: dict[int, int]) -> str:
    """What a page shows, short enough for an address: run id -> version of its row."""
    items = b"".join(ITEM.pack(pk, version) for pk, version in list(known.items())[:MAX_LIVE])
    return base64.urlsafe_b64encode(zlib.compress(items)).decode().rstrip("=")


def unpack(text: str) -> dict[int, int]:
    """The inverse of `pack`; nothing for what somebody made up."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        items = zlib.decompressobj().decompress(packed, ITEM.size * MAX_LIVE)
        known = dict(ITEM.iter_unpack(items))
    except (ValueError, binascii.Error, zlib.error, struct.error):
        return {}
    # A larger id fits no column.
    return {pk: version for pk, version in known.items() if pk < 2**63}


def news(request: Request, listing: Listing) -> dict[str, Any] | HttpResponse:
    """Context of the rows that changed since the page was drawn (5 queries); 204 for none."""
    known = unpack(request.GET.get("rows", ""))
    runs = Run.objects.of(request.workspace).filter(pk__in=known).for_list().newest()
    rows = rows_of(request, listing, list(runs))
    changed = [row for row in rows if row.version != known[row.run.pk]]
    if not changed:
        return HttpResponse(status=204)
    return {
        "rows": changed,
        "experiment": listing.experiment,
        "live_url": live_url(request, listing, rows),
    }
