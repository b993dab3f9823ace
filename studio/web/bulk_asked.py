"""What a form of the selection bar, or a dialog it opened, says: which runs, and what to do."""

import re
from dataclasses import dataclass, replace

from django.http import QueryDict
from django.utils.http import url_has_allowed_host_and_scheme

from studio.bulk.choices import Arguments
from studio.bulk.selection import Selection
from studio.custom_views.state import FLAT
from studio.runs.limits import Invalid
from studio.runs.models import UID_RULE
from studio.search.pills import with_term
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import UNSTORABLE, Key, Op, Term
from studio.search.zones import active_zone_name
from studio.web.access import Request
from studio.web.run_list_reading import find_parent, listing_of, listing_of_view
from studio.web.run_rows import Listing

# What the next form has to say again. `runs`, `at` and `zone` are written anew.
CARRIED = ("list", "view", "experiment", "type", "parent", "name", "trash", "back")
KEEP, PUT, REMOVE = "keep", "put", "remove"
_UID = re.compile(UID_RULE)


@dataclass(frozen=True, slots=True)
class Asked:
    """The runs that a form is about, and where the person came from."""

    selection: Selection
    carried: tuple[tuple[str, str], ...]
    back_url: str


def asked_of(request: Request) -> Asked:
    """Read the form.

    run, runs: ids, one in each and many joined by commas; or all=1 with list, the query part of
    the list's URL, and experiment, type and parent, its limits; for the trash, trash=1 and name
    instead of list; at, zone: when the dialog was opened, and in which time zone.
    Raises Invalid, SearchSyntaxError.
    """
    form = request.POST
    uids = ticked(form)
    if form.get("all") == "1":
        selection = _matching(request)
        if "zone" in form:
            selection = replace(selection, zone=form["zone"])
    elif uids:
        selection = Selection(uids=uids, trash=form.get("trash") == "1", at=form.get("at", ""))
    else:
        raise Invalid("selection", "No run is ticked. Go back, tick some, and try again.")
    return Asked(selection, tuple(carried(form)), back_url(request))


def carried(form: QueryDict) -> list[tuple[str, str]]:
    """Hidden fields that say the same selection again, but for its moment."""
    fields = [(name, form.get(name, "")) for name in CARRIED]
    if form.get("all") == "1":
        fields.append(("all", "1"))
    else:
        fields.append(("runs", ",".join(ticked(form))))
    return [(name, value) for name, value in fields if value]


def ticked(form: QueryDict) -> tuple[str, ...]:
    """The ids of the ticked runs, each once; what is none is left out."""
    texts = form.getlist("run") + [uid for text in form.getlist("runs") for uid in text.split(",")]
    return tuple(dict.fromkeys(uid for uid in texts if _UID.fullmatch(uid)))


def _matching(request: Request) -> Selection:
    form = request.POST
    experiment, at = storable(form, "experiment"), form.get("at", "")
    if form.get("trash") == "1":
        return Selection(query=query_of_name(form.get("name", "")), trash=True, at=at)
    listing = listed(request)
    if listing.view is not None:
        experiment = listing.experiment.name if listing.experiment else ""
    type_ = listing.type or storable(form, "type")
    return selection_of(listing, experiment=experiment, type=type_, at=at)


def selection_of(listing: Listing, *, experiment: str, type: str, at: str = "") -> Selection:
    """All runs of a list. Raises Invalid, SearchSyntaxError."""
    state = listing.state
    node = parse(state.whole_query)
    if state.only:
        if not state.chosen:
            raise Invalid("selection", "The list shows only ticked runs, and none is ticked.")
        node = with_term(node, Term(Key("uid"), Op.EQ, state.chosen))
    if type:
        node = with_term(node, Term(Key("type"), Op.EQ, (type,)))
    query = print_query(node) if node else ""
    # Who shows only ticked runs sees child runs among them.
    children = state.children == FLAT or state.only
    parent = listing.parent.uid if listing.parent else ""
    zone = active_zone_name()
    return Selection(
        query=query, experiment=experiment, children=children, at=at, parent=parent, zone=zone
    )


def listed(request: Request) -> Listing:
    """The list that a form was sent from: `list` is the query of its URL."""
    query = QueryDict(request.POST.get("list", "").removeprefix("?"), mutable=True)
    if view := request.POST.get("view", ""):
        return listing_of_view(request, view, query)
    if uid := storable(request.POST, "parent"):
        return listing_of(request, query, parent=find_parent(request, uid))
    return listing_of(request, query)


def storable(form: QueryDict, name: str) -> str:
    """A field that no database would refuse."""
    text = form.get(name, "")
    if UNSTORABLE.search(text):
        raise Invalid(f"selection.{name}", f"There is no such {name}.")
    return text


def query_of_name(name: str) -> str:
    """The query for runs whose display name holds a text; raises Invalid, SearchSyntaxError."""
    if not name.strip():
        return ""
    if UNSTORABLE.search(name):
        raise Invalid("name", "This holds a character that no name can hold.")
    query = print_query(Term(Key("name"), Op.CONTAINS, (name.strip(),)))
    parse(query)
    return query


def back_url(request: Request) -> str:
    """The list the person came from; a made-up one is not followed."""
    base = request.POST.get("back", "")
    inside = f"/w/{request.workspace.name}/"
    is_ours = url_has_allowed_host_and_scheme(base, allowed_hosts=None)
    if not is_ours or not base.startswith(inside):
        return ""
    return base + request.POST.get("list", "") if "?" not in base else base


def arguments_of(form: QueryDict, action: str) -> Arguments:
    """What the dialog's own fields say. Raises Invalid."""
    if action == "tags":
        return _tags(form)
    if action == "cancel":
        return {"reason": form.get("reason", ""), "children": form.get("children", "1") == "1"}
    if action == "move":
        return {"experiment": form.get("to", "").strip()}
    if action == "delete":
        return {"cancel": form.get("cancel") == "1"}
    if action == "purge" and form.get("confirm", "").strip().lower() != "purge":
        raise Invalid("confirm", "Type “purge” to confirm: what is purged can't be brought back.")
    return {}


def _tags(form: QueryDict) -> Arguments:
    """`add` ("key" or "key: value"); for each tag there is `key`, `value`, `was` and `do`.

    A value that was edited is put on all, also where nobody said so.
    """
    put: dict[str, str | None] = {}
    remove = []
    fields = (form.getlist(name) for name in ("key", "value", "was", "do", "several"))
    for key, typed, was, do, several in zip(*fields, strict=False):
        value = typed.strip()
        if do == REMOVE:
            remove.append(key)
        elif do == PUT and several and not value:
            raise Invalid(f"tag {key}", f"Type the value that “{key}” is to have on all runs.")
        elif do == PUT or value != was.strip():
            put[key] = value or None
    if text := form.get("add", "").strip():
        key, colon, value = text.partition(":")
        put[key.strip()] = value.strip() if colon else None
    return {"set": put, "remove": remove}
