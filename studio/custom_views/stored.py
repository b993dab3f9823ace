"""What a custom view keeps: a list's state as the parameters of its URL, checked before it is
stored. Pure."""

from collections.abc import Callable, Mapping

from studio.custom_views.charts import MAX_CHARTS, parse_charts
from studio.custom_views.state import KNOWN, MAX_CHOSEN, PASSING, ViewState
from studio.runs.limits import Invalid, clean_text
from studio.search.columns import parse_columns
from studio.search.errors import SearchSyntaxError
from studio.search.grouping import parse_group
from studio.search.order import parse_order
from studio.search.scanner import MAX_CHARACTERS
from studio.search.syntax import parse
from studio.search.tree import UNSTORABLE

KEPT = tuple(sorted(KNOWN - PASSING))
READERS: dict[str, Callable[[str], object]] = {
    "q": parse,
    "off": parse,
    "order": parse_order,
    "columns": parse_columns,
    "group": parse_group,
}
# Texts that ask for what is usual, and so leave no trace.
USUAL = {"pins": ("1",), "size": ("50",), "mine": ("0",), "only": ("0",)}
EXPECTED = {
    "size": "It is 25, 50, 100 or 200.",
    "pins": "It is a number from 0 to 5.",
    "children": "It is “tree” or “flat”.",
    "mine": "It is “1”, or left out.",
    "only": "It is “1”, or left out.",
    "widths": "It is such as “name=200,status=90”.",
    "chosen": f"It is at most {MAX_CHOSEN} ids of runs, separated by commas.",
    "charts": f"It is at most {MAX_CHARTS} charts such as “kind=line&y=metric.loss”.",
}


# How a part that is too long is called, and what to do about it.
LONG = {
    "q": ("The query", "Make it shorter."),
    "off": ("What is switched off", "Remove a condition."),
    "columns": ("The columns", "Remove some of them."),
    "widths": ("The widths of the columns", "Leave some of them empty."),
    "charts": ("The charts", "Show hidden lines again, or remove a chart."),
}


def long_words(name: str, text: str) -> str:
    """What to say of a part of a state that is too long; "" for one that is not."""
    if len(text) <= MAX_CHARACTERS:
        return ""
    what, way_out = LONG.get(name, (f"“{name}”", "Make it shorter."))
    told = (
        f"{what} of this list would take {len(text):,} characters; at most {MAX_CHARACTERS:,} fit"
    )
    return f"{told} into its address or a view. {way_out}"


def state_of(texts: object) -> ViewState:
    """The state that was stored; what can't be read any more falls back to its default."""
    held = texts if isinstance(texts, Mapping) else {}
    return ViewState.from_query({name: held[name] for name in KEPT if _is_text(held.get(name))})


def _is_text(value: object) -> bool:
    """Whether it could be in an address."""
    return isinstance(value, str) and len(value) <= MAX_CHARACTERS and not UNSTORABLE.search(value)


def checked(texts: object) -> dict[str, str]:
    """The texts as they will be stored, defaults left out.

    Raises Invalid, with the name of the text or `state`, for what is no state: another shape, an
    unknown name, a text that is too long or that can't be understood, a value there is not.
    """
    if not isinstance(texts, Mapping):
        raise Invalid("state", 'state must be an object of texts, such as {"q": "status:failed"}.')
    cleaned = {}
    for name, text in texts.items():
        if not isinstance(name, str) or name not in KEPT:
            told = f"“{_shown(name)}” is no part of a view. There are: {', '.join(KEPT)}."
            raise Invalid("state", told)
        if isinstance(text, str) and (long := long_words(name, text)):
            raise Invalid(name, long)
        cleaned[name] = clean_text(text, field=name, most=MAX_CHARACTERS).strip()
        _check(name, cleaned[name])
    return state_of(cleaned).kept(ticks=True)


def _shown(name: object) -> str:
    """A name that anybody may have sent, fit for a sentence."""
    if not isinstance(name, str):
        return type(name).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])


def _check(name: str, text: str) -> None:
    try:
        if name in READERS:
            READERS[name](text)
    except SearchSyntaxError as error:
        told = f"{name}: {error.message} Correct would be: {error.example}"
        raise Invalid(name, told) from error
    if text and text not in USUAL.get(name, ()) and _is_lost(name, text):
        told = f"{name} can't be “{_shown(text)}”. {EXPECTED.get(name, '')}"
        raise Invalid(name, told.strip())


def _is_lost(name: str, text: str) -> bool:
    """Whether reading it leaves something out."""
    state = ViewState.from_query({name: text})
    if name == "charts":
        n_charts = sum(1 for part in text.split(";") if part)
        return not n_charts or n_charts != len(parse_charts(text))
    if name == "chosen":
        return len(state.chosen) != len({uid.strip() for uid in text.split(",")})
    if name == "widths":
        return not state.column_widths
    return name not in state.texts()
