"""What a YAML document says of custom views, and the document of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from studio.custom_views.actions import MAX_VIEWS
from studio.custom_views.differences import PARTS
from studio.custom_views.models import Access, Place
from studio.custom_views.plain_yaml import Tree, read, write
from studio.custom_views.stored import KEPT
from studio.runs.limits import Invalid

VERSION = "1"
TOP_KEYS = ("version", "views")
KEYS = ("name", "description", "list", "experiment", "state", "shared")
SHARED_KEYS = ("everyone", "people")
# As people think of them; a database may keep them in another order.
STATE_KEYS = tuple(name for _, names in PARTS.values() for name in names)
GRANTS = (Access.SEE.value, Access.EDIT.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One view of a document. experiment: its name, of a view of one; state: texts as in the URL,
    not checked; everyone, people: who else may see or edit it, as `sharing.sharing_of`."""

    name: str
    description: str = ""
    place: str = Place.RUNS.value
    experiment: str = ""
    state: Mapping[str, str] = field(default_factory=dict)
    everyone: str = ""
    people: Mapping[str, str] = field(default_factory=dict)


def document(entries: Iterable[Entry]) -> str:
    """The YAML of the entries, in their order; what is empty is left out."""
    # Written here: as a text it would stand in quotes.
    return f"version: {VERSION}\n{write({'views': [_tree(entry) for entry in entries]})}"


def read_entries(text: str | bytes) -> list[Entry]:
    """The entries of a document, in their order.

    Raises Invalid for what is no such document (`plain_yaml.read`), and for a key there is not, a
    value of the wrong kind, a list or a grant there is not: its field is the place, such as
    `views[2].state`, its words name the entry and say what there is.
    """
    top = _mapping(read(text), "document", "The document")
    _known("", "The document", top, TOP_KEYS)
    if top.get("version", "") != VERSION:
        told = f"This studio reads version {VERSION}: begin with “version: {VERSION}”."
        raise Invalid("version", told)
    views = top.get("views", "") or []
    if not isinstance(views, list):
        raise Invalid("views", "“views” must be a list: begin each view with “- name: …”.")
    if len(views) > MAX_VIEWS:
        raise Invalid("views", f"{len(views):,} views; at most {MAX_VIEWS:,} are taken at once.")
    return [_read_entry(f"views[{i}]", f"View {i + 1}", one) for i, one in enumerate(views)]


def _tree(entry: Entry) -> Tree:
    shared: dict[str, Tree] = {
        "everyone": entry.everyone,
        "people": dict(sorted(entry.people.items())),
    }
    found: dict[str, Tree] = {
        "name": entry.name,
        "description": entry.description,
        "list": entry.place,
        "experiment": entry.experiment,
        "state": {name: entry.state[name] for name in STATE_KEYS if entry.state.get(name)},
        "shared": {key: value for key, value in shared.items() if value},
    }
    return {key: value for key, value in found.items() if value}


def _read_entry(place: str, who: str, tree: Tree) -> Entry:
    given = _mapping(tree, place, who)
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid(f"{place}.name", f"{who} has no name: write “name: …”.")
    who = f"{who}, “{name[:80]}”"
    _known(place, who, given, KEYS)
    texts = {key: _text(place, who, given, key) for key in ("description", "list", "experiment")}
    listed = texts["list"] or Place.RUNS.value
    if listed not in Place.values:
        told = f"{who}: there is no list “{listed[:80]}”. There are: {', '.join(Place.values)}."
        raise Invalid(f"{place}.list", told)
    if (listed == Place.EXPERIMENT) != bool(texts["experiment"]):
        told = f"{who}: “list: experiment” goes together with “experiment: NAME”."
        raise Invalid(f"{place}.experiment", told)
    state = _texts(given, "state", place, who, KEPT)
    shared = _mapping(given.get("shared", ""), f"{place}.shared", f"{who}: “shared”")
    _known(f"{place}.shared", f"{who}: “shared”", shared, SHARED_KEYS)
    people = _texts(shared, "people", f"{place}.shared", who)
    everyone = _text(f"{place}.shared", who, shared, "everyone")
    for grant in (*people.values(), *([everyone] if everyone else [])):
        if grant not in GRANTS:
            told = f"{who}: “{grant[:80]}” can't be granted. There are: {', '.join(GRANTS)}."
            raise Invalid(f"{place}.shared", told)
    return Entry(name, texts["description"], listed, texts["experiment"], state, everyone, people)


def _mapping(tree: Tree, place: str, what: str) -> dict[str, Tree]:
    """The mapping that must stand there, or nothing."""
    if not tree:
        return {}
    if not isinstance(tree, dict):
        raise Invalid(place, f"{what} must be a mapping: lines such as “name: …”.")
    return tree


def _known(place: str, who: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            told = f"{who}: there is no “{key[:80]}”. There are: {', '.join(known)}."
            raise Invalid(f"{place}.{key[:80]}".lstrip("."), told)


def _text(place: str, who: str, given: Mapping[str, Tree], key: str) -> str:
    value = given.get(key, "")
    if not isinstance(value, str):
        raise Invalid(f"{place}.{key[:80]}", f"{who}: “{key[:80]}” must be a text.")
    return value


def _texts(
    given: Mapping[str, Tree], key: str, place: str, who: str, known: tuple[str, ...] = ()
) -> dict[str, str]:
    """The mapping of texts under a key; with `known`, of these keys only."""
    found = _mapping(given.get(key, ""), f"{place}.{key}", f"{who}: “{key}”")
    if known:
        _known(f"{place}.{key}", f"{who}: “{key}”", found, known)
    return {name: _text(f"{place}.{key}", who, found, name) for name in found}
