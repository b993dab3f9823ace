"""What a pill says: a condition in a person's words."""

from studio.search.fields import FIELDS
from studio.search.tree import And, Key, Node, Not, Op, Or, Term, Word

_SIGNS = {Op.LT: "<", Op.LE: "≤", Op.GT: ">", Op.GE: "≥"}
_TIME_WORDS = {Op.LT: "before", Op.LE: "until", Op.GT: "after", Op.GE: "since"}
_TEXT_WORDS = {Op.CONTAINS: "contains", Op.STARTS: "starts with"}
_LONGEST = 60


def describe(node: Node) -> str:
    """Return a condition in words: `status: failed`, `loss < 0.3`, `no tag quality`.

    Several conditions are joined by "and" and "or". The text is for reading, not for parsing.
    """
    match node:
        case Word(text=text):
            return f"“{_cut(text)}”"
        case Term():
            return _term(node)
        case Not(child=Term(op=Op.HAS, key=key)):
            return f"no {_key(key)}"
        case Not(child=child):
            return f"not {_grouped(child, And | Or)}"
        case And(children=children):
            return " and ".join(_grouped(child, Or) for child in children)
        case Or(children=children):
            return " or ".join(_grouped(child, And) for child in children)


def _grouped(node: Node, kinds: object) -> str:
    text = describe(node)
    return f"({text})" if isinstance(node, kinds) else text  # type: ignore[arg-type]


def _term(term: Term) -> str:
    field, key = FIELDS[term.key.family], _key(term.key)
    values = " or ".join(_value(value) for value in term.values)
    if term.op is Op.HAS:
        return f"has {key}"
    if term.op is Op.EQ:
        return values if field.type == "flag" else f"{key}: {values}"
    if term.op is Op.NE:
        return f"{key} is not {values}"
    if term.op is Op.RANGE:
        return _range(term, key, is_time=field.type == "time")
    if term.op in _TEXT_WORDS:
        return f"{key} {_TEXT_WORDS[term.op]} {values}"
    return f"{key} {(_TIME_WORDS if field.type == 'time' else _SIGNS)[term.op]} {_ago(values)}"


def _range(term: Term, key: str, *, is_time: bool) -> str:
    low, high = term.low, term.high
    if low is not None and high is not None:
        return f"{key} from {_ago(low)} to {_ago(high)}"
    if low is not None:
        return f"{key} {'since' if is_time else '≥'} {_ago(low)}"
    return f"{key} {'until' if is_time else '≤'} {_ago(high or '')}"


def _key(key: Key) -> str:
    """How a key is called: a metric and a parameter by their own name, a tag with the word tag."""
    if not key.name:
        label = FIELDS[key.family].label
        return label[0].lower() + label[1:] if key.family != "uid" else "run id"
    name = _cut(key.name)
    if key.family in ("tag", "property"):
        return f"{key.family} {name}"
    return f"{key.stat} {name}" if key.stat else name


def _ago(text: str) -> str:
    # "-7d" on a time key is 7d ago; a negative number stays one.
    is_past = text.startswith("-") and text[-1:].lower() in "smhdw"
    return f"{text[1:]} ago" if is_past else text


def _value(value: str) -> str:
    return _cut(value) if value else "(empty)"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
