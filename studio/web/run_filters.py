"""The editor of a list's filters: add one, edit a pill, or one alternative of a group.

Nothing is stored: each form ends at the list's address with the new condition in its query.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import reswap, retarget

from studio.search.apply import condition
from studio.search.errors import SearchSyntaxError
from studio.search.pills import negate
from studio.search.printer import print_query
from studio.search.scope import Scope
from studio.search.syntax import parse
from studio.search.tree import NAMED_KEYS, Node, Not
from studio.search.words import describe
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_explain import explained, explanation_links
from studio.web.run_filters_choices import (
    field_groups,
    name_choices,
    suggested,
    value_choices,
)
from studio.web.run_filters_form import (
    PERIODS,
    Filled,
    filled_from,
    filled_of,
    node_of,
    operators,
    picked_of,
)
from studio.web.run_filters_place import NEW, Place, alternatives, node_at, place_from, put
from studio.web.run_list_reading import listing_aside, reading_of
from studio.web.run_pills import pills_of
from studio.web.run_rows import Listing

PANEL = "runs-filter_panel"


@dataclass(frozen=True, slots=True)
class Actions:
    """Links of a condition besides its form; "" for what it does not have."""

    is_negated: bool
    is_off: bool
    negate_url: str
    switch_url: str
    or_url: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class Editor:
    """One request: the list, the place in its query, and what stands there; None: nothing yet."""

    request: Request
    listing: Listing
    place: Place
    node: Node | None

    def url(self, place: Place, **parameters: str) -> str:
        address = reverse("run-list-filter", args=[self.request.workspace.name])
        return self.listing.aside(address, **(place.parameters() | parameters))

    def pill_url(self) -> str:
        address = reverse("run-list-pill", args=[self.request.workspace.name])
        whole = replace(self.place, part=None).parameters()
        return self.listing.aside(address, **whole)

    def put_url(self, place: Place, node: Node | None) -> str:
        """The list with the condition at the place; "" where the query would be too long."""
        try:
            return self.listing.url(put(self.listing.state, place, node))
        except SearchSyntaxError:
            return ""

    @property
    def back_url(self) -> str:
        """One step back: from an alternative to its group, from a form to the choice of fields."""
        if self.place.part is not None and (self.node is not None or not self.is_deep):
            return self.pill_url()
        return self.url(self.place) if self.node is None and self.is_deep else ""

    @property
    def is_deep(self) -> bool:
        """Whether the reader has gone further than the first face of the editor."""
        return bool(self.request.GET.get("field") or self.request.GET.get("as"))

    @property
    def title(self) -> str:
        if self.place.part == NEW:
            return "Add an alternative"
        if self.place.part is not None:
            return "Edit an alternative"
        return "Add filter" if self.node is None else "Edit filter"


@page
def run_list_pill(request: Request) -> HttpResponse:
    """The editor of a pill: its form, its alternatives, or its text (queries: see
    `run_list_filter`)."""
    editor = _editor(request)
    if editor.place.pill is None or editor.node is None:
        raise Http404("There is no such filter.")
    return _answer(editor, _view(editor))


@page
def run_list_filter(request: Request) -> HttpResponse:
    """What to filter by, then the form of the condition, with suggestions from all data (2 queries
    at most). `apply` in the address: on to the list with it, or the form with what is wrong."""
    editor = _editor(request)
    if not request.GET.get("apply"):
        return _answer(editor, _view(editor))
    try:
        node = _asked(editor)
        if node is not None:
            condition(node, Scope.of(request.user, timezone.localtime(), request.workspace))
        state = put(editor.listing.state, editor.place, node)
    except SearchSyntaxError as error:
        return _answer(editor, _view(editor) | {"error": error}, status=422)
    return HttpResponseRedirect(editor.listing.url(state))


@page
def run_list_explain(request: Request) -> HttpResponse:
    """What to do about an empty list (the queries of `explain`, and 3)."""
    listing = listing_aside(request)
    node = reading_of(listing).node
    found = explained(request, listing, node)
    context = {
        **frame(request, active="runs"),
        **explanation_links(request, listing),
        **found,
        **pills_of(request, listing, node, found["explanation"]),
    }
    return render_parts(request, ["runs/_explain.html"], context)


def _editor(request: Request) -> Editor:
    listing = listing_aside(request)
    try:
        place = place_from(request.GET)
        return Editor(request, listing, place, node_at(listing.state, place))
    except (LookupError, SearchSyntaxError) as error:
        raise Http404("This filter is not there: the query has changed.") from error


def _asked(editor: Editor) -> Node | None:
    """The condition that was typed; None: an emptied text. Raises SearchSyntaxError."""
    query = editor.request.GET
    if query.get("as") != "text":
        return node_of(filled_from(query))
    # A browser's text box writes line ends its own way.
    typed = query.get("text", "").replace("\r\n", "\n").strip()
    present = print_query(editor.node)
    if editor.node is not None and typed == present.replace("\r\n", "\n").replace("\r", "\n"):
        return editor.node
    return parse(typed)


def _answer(editor: Editor, view: dict[str, Any], *, status: int = 200) -> HttpResponse:
    request, listing = editor.request, editor.listing
    context = {
        **frame(request, active="runs"),
        "error": None,
        "title": editor.title,
        "in_popover": wants_part(request),
        "list_url": editor.listing.url(listing.state),
        "back_url": editor.back_url,
        "text_url": editor.url(editor.place, **{"as": "text"}),
        "form_url": reverse("run-list-filter", args=[request.workspace.name]),
        "hidden": listing.state.first_page().parameters() | listing.limits,
        "place": editor.place.parameters(),
        **view,
    }
    part = "runs/_filter_panel.html"
    answer = render_page(request, "runs/filter.html", context, part=part, status=status)
    if status == 422 and wants_part(request):
        return reswap(retarget(answer, f"#{PANEL}"), "outerHTML")
    return answer


def _view(editor: Editor) -> dict[str, Any]:
    """Which of its faces the panel shows: fields, names, condition, text or group."""
    query, node = editor.request.GET, editor.node
    if query.get("as") == "text":
        return _text(editor, query.get("text", print_query(node)))
    if query.get("field"):
        filled = filled_from(query)
        if filled.field in NAMED_KEYS and not filled.name and not query.get("apply"):
            return _names(editor, filled)
        return _condition(editor, filled)
    if node is None:
        return _fields(editor)
    if len(alternatives(node)) > 1:
        return _group(editor, node)
    own = filled_of(node)
    return _text(editor, print_query(node)) if own is None else _condition(editor, own)


def _fields(editor: Editor) -> dict[str, Any]:
    def field_url(family: str) -> str:
        return editor.url(editor.place, field=family)

    def flag_url(node: Node) -> str:
        return editor.put_url(editor.place, node)

    return {"view": "fields", "groups": field_groups(field_url, flag_url)}


def _names(editor: Editor, filled: Filled) -> dict[str, Any]:
    query = editor.request.GET
    find = query.get("find", "").strip()
    names = name_choices(editor.request.workspace, filled.field, find)
    if query.get("pick") and find:
        # Enter takes what is first in the list, unless there is just what was typed, or nothing.
        name = find if find in names or not names else names[0]
        return _condition(editor, replace(filled, name=name, values=()))
    urls = {name: editor.url(editor.place, field=filled.field, name=name) for name in names}
    return {"view": "names", "filled": filled, "find": find, "names": urls}


def _condition(editor: Editor, filled: Filled) -> dict[str, Any]:
    find = "" if editor.request.GET.get("pick") else editor.request.GET.get("find", "").strip()
    known = suggested(editor.request.workspace, filled, find)
    ends = {"low": filled.low, "high": filled.high}
    return {
        "view": "condition",
        "filled": filled,
        "operators": operators(filled),
        "choices": value_choices(filled, known, find),
        "find": find,
        "periods": PERIODS,
        "ends": {name: (text, picked_of(text)) for name, text in ends.items()},
        **_links(editor),
    }


def _text(editor: Editor, text: str) -> dict[str, Any]:
    return {"view": "text", "text": text, **_links(editor)}


def _group(editor: Editor, pill: Node) -> dict[str, Any]:
    parts = []
    for index, part in enumerate(alternatives(pill)):
        place = replace(editor.place, part=index)
        parts.append((describe(part), editor.url(place), editor.put_url(place, None)))
    return {
        "view": "group",
        "parts": parts,
        "is_negated": isinstance(pill, Not),
        **_links(editor),
    }


def _links(editor: Editor) -> dict[str, Any]:
    """What else can be done with the pill or the alternative that is being edited."""
    place, node, state = editor.place, editor.node, editor.listing.state
    if node is None:
        return {"actions": None}
    is_whole = place.part is None
    switch = ""
    if is_whole and place.pill is not None:
        to = state.switched_on if place.is_off else state.switched_off
        switch = editor.listing.url(to(place.pill))
    found = Actions(
        is_negated=isinstance(node, Not),
        is_off=place.is_off,
        negate_url=editor.put_url(place, negate(node)),
        switch_url=switch,
        or_url=editor.url(replace(place, part=NEW)) if is_whole else "",
        remove_url=editor.put_url(place, None),
    )
    return {"actions": found}
