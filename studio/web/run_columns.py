"""Edit columns: which a list shows, in which order, how wide, how many of them stay at the left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2s
from itertools import groupby
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from studio.accounts.models import Workspace
from studio.custom_views.state import MAX_PINS, MAX_WIDTH, MIN_WIDTH
from studio.search import distinct
from studio.search.column_finder import LIMIT, find_columns
from studio.search.columns import MAX_COLUMNS, Column, parse_column, print_column, print_columns
from studio.search.errors import SearchSyntaxError
from studio.search.matching import nfc
from studio.search.tree import UNSTORABLE
from studio.web.access import Request, page
from studio.web.column_widths import usual_width
from studio.web.frame import frame
from studio.web.render import render_parts
from studio.web.run_list_reading import listing_aside, reading_of, shown_columns
from studio.web.run_rows import Listing
from studio.web.typed import storable
from studio.web.view_dialogs import applied, found_text, moved, refusal, shown

NAME = Column("name")
# A metric comes with three values, so as many are read for the 50 names on screen.
MAX_READ = 3 * LIMIT
ACTS = frozenset({"toggle", "drop", "up", "down", "add_at", "usual"})
STAT_WORDS = {"": "last", "min": "min", "max": "max"}
FAMILY_WORDS = {"param": "parameter", "tag": "tag", "property": "property", "metric": "metric"}


@dataclass(frozen=True, slots=True)
class Draft:
    """The columns as the form holds them; widths: text of a column -> pixels as typed."""

    columns: tuple[Column, ...]
    widths: Mapping[str, str]
    pins: int

    def listing(self, of: Listing) -> Listing:
        """The list as the draft would have it; without anything of its own for the usual."""
        usual = tuple(one.column for one in shown_columns(of, ()))
        columns = "" if self.columns == usual else print_columns(self.columns)
        texts = [print_column(one) for one in self.columns]
        widths = ",".join(f"{text}={self.widths[text]}" for text in texts if self.widths.get(text))
        state = replace(of.state, columns=columns, widths=widths, pins=self.pins)
        return replace(of, state=state)


@dataclass(frozen=True, slots=True)
class Item:
    """A chosen column in the form. key: short and safe in an id."""

    column: Column
    text: str
    width: str

    @property
    def key(self) -> str:
        return blake2s(self.text.encode(), digest_size=6).hexdigest()

    @property
    def usual_width(self) -> int:
        return usual_width(self.column)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of what was found: `word` tells the three of a metric apart."""

    item: Item
    word: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to show: an attribute, or a name in the data with what kind it is."""

    label: str
    kind: str
    choices: list[Choice]


class Refused(Exception):
    """A draft that can't be read; `field` is where."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@page
def edit_columns(request: Request) -> HttpResponse:
    """The editor of a list's columns (queries: those of the frame and of `find_columns`)."""
    listing = listing_aside(request)
    error, field = "", ""
    draft = drafted(request, listing)
    try:
        check_widths(draft)
        draft = edited(request, listing, draft)
    except Refused as refused:
        error, field = str(refused), refused.field
    becomes = draft.listing(listing)
    if not error:
        error = refusal(becomes)
    address = reverse("run-list-columns", args=[request.workspace.name])
    if not error and "apply" in request.GET:
        return applied(request, becomes)
    if not error and ACTS & request.GET.keys() and not request.htmx:
        find = {"find": text} if (text := found_text(request)) else {}
        return HttpResponseRedirect(becomes.aside(address, **find))
    if request.htmx.target == "runs-columns_names":
        context = {**frame(request, active="runs"), "metric_names": metric_names(request)}
        return render_parts(request, ["runs/_columns_names.html"], context)
    context = {
        **frame(request, active="runs"),
        **columns_context(request, listing, draft),
        "address": address,
        "error": error,
        "error_field": field,
    }
    status = 422 if error else 200
    return shown(request, "columns", context, status=status, parts=("_columns_found",))


def columns_context(request: Request, listing: Listing, draft: Draft) -> dict[str, Any]:
    find = found_text(request)
    offers = offers_of(find_columns(request.workspace, find, limit=MAX_READ), draft.columns)
    return {
        "listing": listing,
        "state": listing.state,
        "list_url": listing.url(listing.state),
        "items": [_item(column, draft) for column in draft.columns],
        "name_text": print_column(NAME),
        "pins": draft.pins,
        "max_pins": MAX_PINS,
        "width_limits": (MIN_WIDTH, MAX_WIDTH),
        "find": find,
        "offers": offers[:LIMIT],
        "has_more": len(offers) > LIMIT or sum(len(one.choices) for one in offers) >= MAX_READ,
        # By HTMX they come to who asks for them.
        "metric_names": [] if request.htmx else metric_names(request),
        "typed": request.GET,
    }


def drafted(request: Request, listing: Listing) -> Draft:
    """The draft in the form's fields; before there is one, what the list shows."""
    state, texts = listing.state, request.GET.getlist("column")
    if not texts:
        columns = tuple(one.column for one in reading_of(listing).columns)
        return Draft(columns, {k: str(w) for k, w in state.column_widths.items()}, state.pins)
    widths = dict(zip(texts, request.GET.getlist("width"), strict=False))
    found: dict[Column, str] = {}
    for text in texts[:MAX_COLUMNS]:
        try:
            found.setdefault(parse_column(text), widths.get(text, "").strip())
        except SearchSyntaxError:
            # Only a link somebody wrote by hand holds one.
            continue
    found.setdefault(NAME, "")
    return Draft(tuple(found), {print_column(c): w for c, w in found.items()}, state.pins)


def check_widths(draft: Draft) -> None:
    """Raise Refused for a width that is none."""
    for text, width in draft.widths.items():
        is_number = width.isascii() and width.isdecimal() and len(width) <= 4
        if width and not (is_number and MIN_WIDTH <= int(width) <= MAX_WIDTH):
            message = f"A width is a whole number of pixels from {MIN_WIDTH} to {MAX_WIDTH:,}."
            raise Refused(text, message)


def edited(request: Request, listing: Listing, draft: Draft) -> Draft:
    """The draft after the button that was pressed; raises Refused."""
    asked = request.GET
    if "usual" in asked:
        return Draft(tuple(one.column for one in shown_columns(listing, ())), {}, 1)
    if "add_at" in asked:
        return _with(draft, at_column(request.workspace, asked))
    for act in ("toggle", "drop", "up", "down"):
        if act not in asked:
            continue
        try:
            column = parse_column(asked[act])
        except SearchSyntaxError as wrong:
            raise Refused("find", wrong.message) from None
        if act in ("up", "down"):
            by = -1 if act == "up" else 1
            return replace(draft, columns=moved(draft.columns, column, by))
        if column in draft.columns:
            return _without(draft, column)
        return draft if act == "drop" else _with(draft, column)
    return draft


def _with(draft: Draft, column: Column) -> Draft:
    if column in draft.columns:
        return draft
    if len(draft.columns) >= MAX_COLUMNS:
        raise Refused("find", f"A list shows at most {MAX_COLUMNS} columns. Remove one first.")
    return replace(draft, columns=(*draft.columns, column))


def _without(draft: Draft, column: Column) -> Draft:
    # The name leads to the run.
    kept = tuple(one for one in draft.columns if one != column or one == NAME)
    return replace(draft, columns=kept)


def at_column(workspace: Workspace, asked: Mapping[str, str]) -> Column:
    """The value of a metric at the step where another one was best; raises Refused."""
    name = _metric(workspace, asked.get("at_metric", ""), "at_metric")
    other = _metric(workspace, asked.get("at_other", ""), "at_other")
    stat = "at-max" if asked.get("at_best") == "max" else "at-min"
    return Column("metric", name, stat, other)


def _metric(workspace: Workspace, typed: str, field: str) -> str:
    """The name of a metric that some run has (1 query)."""
    name = nfc(typed.strip())
    if not name or UNSTORABLE.search(name):
        raise Refused(field, "Name a metric.")
    if not distinct.present("metric", workspace.pk, [name]):
        raise Refused(field, f"No run has a metric called “{name[:80]}”.")
    return name


def metric_names(request: Request) -> list[str]:
    """At most 50 names that fit what is typed into one of the two fields for metrics."""
    typed = request.GET.get(str(request.htmx.trigger_name or ""), "") if request.htmx else ""
    text = storable(typed).strip()
    found = find_columns(request.workspace, f"metric.{text}", limit=MAX_READ)
    return [column.name for column in found if not column.stat]


def offers_of(found: Iterable[Column], chosen: Iterable[Column]) -> list[Offer]:
    """What was found, the values of one metric together."""
    on = frozenset(chosen)
    offers = []
    for (family, name), columns in groupby(found, key=lambda one: (one.family, one.name)):
        several = list(columns)
        choices = [
            Choice(_item(one), STAT_WORDS[one.stat] if family == "metric" else "", one in on)
            for one in several
        ]
        offers.append(Offer(name or several[0].label, FAMILY_WORDS.get(family, ""), choices))
    return offers


def _item(column: Column, draft: Draft | None = None) -> Item:
    text = print_column(column)
    return Item(column, text, draft.widths.get(text, "") if draft else "")
