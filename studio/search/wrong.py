"""Everything that can be wrong with a query: one function, one sentence, one correct example."""

import re
from difflib import get_close_matches

from studio.search.errors import SearchSyntaxError
from studio.search.printer import print_key, print_query, quote
from studio.search.tree import (
    ALIASES,
    FLAGS,
    NAMED_KEYS,
    PLAIN_KEYS,
    Key,
    Op,
    Span,
    Term,
    Word,
)

EXAMPLES = {
    "status": "status:failed",
    "experiment": "experiment:baseline",
    "submitter": "submitter:alice",
    "target": "target:local",
    "type": "type:script",
    "name": 'name~"resnet"',
    "description": 'description~"learning rate"',
    "uid": "uid^=3f2a",
    "number": "number:10..20",
    "submitted": "submitted>-7d",
    "started": "started>=2026-11-01",
    "ended": "ended:today",
    "duration": "duration>2h30m",
    "parent": "parent:3f2a",
    "children": "children>0",
    "is": "is:starred",
    "log": 'log~"out of memory"',
    "tag": "tag.quality:good",
    "property": "property.dataset:v3",
    "param": "param.lr>=1e-4",
    "metric": "metric.loss<0.3",
    "has": "has:tag.quality",
}
# What other tools call our keys.
_OTHER_WORDS = {
    "author": "submitter",
    "by": "submitter",
    "compute": "target",
    "created": "submitted",
    "date": "submitted",
    "exp": "experiment",
    "finished": "ended",
    "kind": "type",
    "owner": "submitter",
    "run": "uid",
    "run_id": "uid",
    "state": "status",
    "time": "duration",
    "user": "submitter",
}
_COMPARISONS = {"tag": ":yes", "property": ":yes", "param": ":0.1", "metric": "<0.3"}
_SIMPLE_COMPARISON = re.compile(r"(?:[:<>=]|[<>!]=)[\w+-]+(?:\.\w+)?(?=[\s)]|$)")
_LONGEST_ECHO = 40


def too_long(n_characters: int, limit: int) -> SearchSyntaxError:
    message = f"The query has {n_characters:,} characters; at most {limit:,} are read."
    return SearchSyntaxError(limit, n_characters - limit, message, EXAMPLES["status"])


def unstorable(position: int) -> SearchSyntaxError:
    message = "This character cannot be part of any name or text. Remove it."
    return SearchSyntaxError(position, 1, message, EXAMPLES["status"])


def too_deep(position: int, limit: int) -> SearchSyntaxError:
    message = f"Parentheses and NOT are nested more than {limit} deep."
    return SearchSyntaxError(position, 1, message, "-(status:failed OR status:canceled)")


def too_many(position: int, length: int, limit: int) -> SearchSyntaxError:
    message = f"The query has more than {limit} words and values."
    return SearchSyntaxError(position, length, message, "status:failed|canceled")


def stray_close(position: int) -> SearchSyntaxError:
    message = 'This ")" closes nothing. Remove it, or put "(" before.'
    return SearchSyntaxError(position, 1, message, "(experiment:a OR experiment:b) status:failed")


def unclosed_group(position: int) -> SearchSyntaxError:
    message = 'This "(" is never closed. Put ")" where the group ends.'
    return SearchSyntaxError(position, 1, message, "(experiment:a OR experiment:b) status:failed")


def empty_group(start: int, end: int) -> SearchSyntaxError:
    message = "These parentheses are empty. Put a condition inside, or remove them."
    return SearchSyntaxError(start, end - start, message, "(experiment:a OR experiment:b)")


def lonely_keyword(keyword: str, position: int) -> SearchSyntaxError:
    sides = "a condition after it" if keyword == "NOT" else "a condition on both sides"
    message = (
        f"{keyword} needs {sides}. To search for the word itself, write {quote(keyword.lower())}."
    )
    example = "NOT status:failed" if keyword == "NOT" else f"status:failed {keyword} is:starred"
    return SearchSyntaxError(position, len(keyword), message, example)


def lonely_minus(position: int) -> SearchSyntaxError:
    message = (
        "A minus leaves out what follows it directly, without a space. "
        'To search for the character, write "-".'
    )
    return SearchSyntaxError(position, 1, message, "-status:failed")


def empty_phrase(position: int) -> SearchSyntaxError:
    message = "There is nothing between these quotes."
    return SearchSyntaxError(position, 2, message, '"first try"')


def unclosed_quote(position: int, length: int) -> SearchSyntaxError:
    message = 'This quote is never closed. A quote inside quotes is written \\", a backslash \\\\.'
    return SearchSyntaxError(position, length, message, 'tag.note:"worth another look"')


def false_quote(position: int) -> SearchSyntaxError:
    message = 'Quotes are the straight double ones: ". Put the text, this character too, in them.'
    return SearchSyntaxError(position, 1, message, '"first try"')


def quote_inside(position: int) -> SearchSyntaxError:
    message = 'A quote begins and ends a whole word or value. Inside quotes write \\".'
    return SearchSyntaxError(position, 1, message, 'tag.note:"worth another look"')


def quoted_key(position: int, length: int, text: str) -> SearchSyntaxError:
    message = "A key is not quoted; only the name after its dot may be."
    return SearchSyntaxError(
        position, length, message, print_query(_text_term("tag", text[:_LONGEST_ECHO]))
    )


def no_word(text: str, position: int, length: int) -> SearchSyntaxError:
    """Explain an operator or separator where a word should stand."""
    found = text[position : position + length]
    if found == "|":
        message = 'A bar separates the values of one key; "or" between conditions is written OR.'
        return SearchSyntaxError(position, length, message, "resnet OR status:failed|canceled")
    if found in ("&", "&&"):
        message = "Conditions side by side must all match; nothing or AND stands between them."
        return SearchSyntaxError(position, length, message, "status:failed AND is:starred")
    message = f"There is no key before {quote(found)}. Write key, operator, value."
    return SearchSyntaxError(position, length, message, EXAMPLES["metric"])


def glued(text: str, position: int) -> SearchSyntaxError:
    """Explain a character that follows a word or value without a space."""
    found = text[position]
    if found == '"':
        return quote_inside(position)
    if found == "|":
        message = "A bar separates the values of one key; between words write OR."
        return SearchSyntaxError(position, 1, message, "resnet OR status:failed|canceled")
    if found in "<>":
        message = "One condition has one comparison. For two limits write a range a..b."
        return SearchSyntaxError(position, 1, message, "metric.loss:0.1..0.3")
    if found == "(":
        message = "Put text with parentheses in quotes, or a space before a group."
        return SearchSyntaxError(position, 1, message, 'name:"resnet (2)"')
    message = "Put a space after the closing quote."
    return SearchSyntaxError(position, 1, message, '"first try" status:failed')


def key_alone(head: str, position: int) -> SearchSyntaxError:
    message = (
        f"{_echo(head)} is a key: say what it must be, as in key:value, or ask has:key. "
        "To search for the text itself, put it in quotes."
    )
    written = head.partition(".")[0].lower()
    family = ALIASES.get(written, written)
    echoes = len(head) <= _LONGEST_ECHO and not head.endswith(".")
    example = head + _COMPARISONS[family] if echoes else EXAMPLES[family]
    return SearchSyntaxError(position, len(head), message, example)


def text_after_key(position: int, length: int) -> SearchSyntaxError:
    message = "A key ends here. Put a name with spaces or signs in quotes."
    return SearchSyntaxError(position, length, message, EXAMPLES["metric"])


def key_without_name(position: int, length: int, family: str) -> SearchSyntaxError:
    message = f"{family} needs a name after a dot: {family}.NAME."
    return SearchSyntaxError(position, max(length, 1), message, EXAMPLES[family])


def half_quoted_name(position: int, length: int, family: str) -> SearchSyntaxError:
    message = f"Quote the whole name after {family}, with a dot before it and nothing after it."
    example = f'{family}."worth another look":yes'
    if family == "metric":
        message += " The lowest and highest values are asked for by :min and :max."
        example = 'metric."best loss":min<0.3'
    return SearchSyntaxError(position, length, message, example)


def unknown_key(text: str, position: int, head: str) -> SearchSyntaxError:
    """Explain a key that does not exist by the nearest thing that does."""
    written, dot, _ = head.partition(".")
    family = ALIASES.get(written.lower(), written.lower())
    if not head:
        return SearchSyntaxError(position, 0, "Here a key is missing.", EXAMPLES["metric"])
    if dot and family in PLAIN_KEYS:
        message = f"{family} takes no name after a dot."
        return SearchSyntaxError(position, len(head), message, EXAMPLES[family])
    if head.startswith("!"):
        message = "To leave something out, put a minus before it."
        return SearchSyntaxError(position, len(head), message, "-status:failed")
    if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", head, re.IGNORECASE):
        message = f"{_echo(head)} is not a key. The key comes first; two limits are a range."
        return SearchSyntaxError(position, len(head), message, "metric.loss:0.1..0.3")
    if meant := _meant_key(family):
        message = f"There is no key {_echo(written)}. Did you mean {meant}?"
        return SearchSyntaxError(position, len(head), message, EXAMPLES[meant])
    return _no_key_near(text, position, head)


def _meant_key(family: str) -> str | None:
    if family in _OTHER_WORDS:
        return _OTHER_WORDS[family]
    near = get_close_matches(family, [*PLAIN_KEYS, *NAMED_KEYS, *ALIASES, "has"], n=1, cutoff=0.7)
    return ALIASES.get(near[0], near[0]) if near else None


def _no_key_near(text: str, position: int, head: str) -> SearchSyntaxError:
    whole = re.match(r'[^\s()"]+', text[position:])
    token = (whole[0] if whole else head)[:_LONGEST_ECHO]
    message = (
        f"There is no key {_echo(head)}. Write a parameter param.NAME, a metric metric.NAME, "
        "a tag tag.NAME; to search for the text itself, put it in quotes."
    )
    if "/" in token:
        return SearchSyntaxError(position, len(head), message, print_query(Word(token)))
    name = head[:_LONGEST_ECHO]
    if re.search(r"\bhas\s*[:=]+\s*$", text[:position], re.IGNORECASE):
        example = print_query(Term(Key("tag", name), Op.HAS))
    else:
        comparison = _SIMPLE_COMPARISON.match(text[position + len(head) :][:_LONGEST_ECHO])
        example = print_key(Key("param", name)) + (comparison[0] if comparison else ":1")
    return SearchSyntaxError(position, len(head), message, example)


def doubled_operator(position: int, length: int) -> SearchSyntaxError:
    message = (
        "This is not an operator. There are : = != < <= > >= ~ (contains) and ^= (starts with); "
        "put a value that begins with a sign in quotes."
    )
    return SearchSyntaxError(position, length, message, "metric.loss>=0.3")


def missing_value(start: int, end: int, written: str) -> SearchSyntaxError:
    message = f"{_echo(written)} needs a value. For an empty one write two quotes."
    family = re.split(r"[^a-z_]", written.lower(), maxsplit=1)[0]
    example = EXAMPLES.get(ALIASES.get(family, family), EXAMPLES["status"])
    return SearchSyntaxError(end, 0, message, example)


def no_value(text: str, position: int) -> SearchSyntaxError:
    found = text[position : position + 1]
    message = f"Here a value should stand, not {quote(found)}."
    return SearchSyntaxError(position, len(found), message, "status:failed|canceled")


def empty_value(position: int, op: Op) -> SearchSyntaxError:
    message = f"{op} needs a value between the quotes; only : and != may ask for an empty one."
    return SearchSyntaxError(position, 2, message, 'tag.note:""')


def grouped_value(position: int) -> SearchSyntaxError:
    message = "A value is not a group. Separate several values by a bar, or quote the parenthesis."
    return SearchSyntaxError(position, 1, message, "status:failed|canceled")


def lonely_bar(position: int) -> SearchSyntaxError:
    message = "A bar needs a value on both sides."
    return SearchSyntaxError(position, 0, message, "status:failed|canceled")


def list_needs_equals(op: Op, span: Span) -> SearchSyntaxError:
    message = f"{op} takes one value; a list a|b goes with : != ~ or ^=."
    return _over(span, message, "status:failed|canceled")


def range_needs_colon(op: Op, span: Span) -> SearchSyntaxError:
    message = (
        f"A range a..b goes with a colon, not with {op}. "
        "To leave a range out, put a minus before the key; put two dots that are text in quotes."
    )
    return _over(span, message, "-metric.loss:0.1..0.3")


def bad_range(span: Span) -> SearchSyntaxError:
    message = (
        "A range is a..b with a value at one end or both, and stands alone, not in a list. "
        "Put two dots that are text in quotes."
    )
    return _over(span, message, "metric.loss:0.1..0.3 OR metric.loss:5..")


def has_form(position: int, length: int) -> SearchSyntaxError:
    message = "has: takes the key that must be there; for the opposite put a minus before it."
    return SearchSyntaxError(position, length, message, "has:tag.quality -has:children")


def has_with_value(position: int, length: int, key: Key) -> SearchSyntaxError:
    message = f"has:{_echo(print_key(key))} asks only whether it is there. For a value drop has:."
    return SearchSyntaxError(position, length, message, EXAMPLES[key.family])


def no_such_flag(span: Span) -> SearchSyntaxError:
    message = f"is: takes {', '.join(FLAGS[:-1])} or {FLAGS[-1]}."
    return _over(span, message, "is:starred -is:archived")


def log_form(span: Span) -> SearchSyntaxError:
    message = "Log text is searched with ~ (contains)."
    return _over(span, message, EXAMPLES["log"])


def _over(span: Span, message: str, example: str) -> SearchSyntaxError:
    return SearchSyntaxError(span.start, span.end - span.start, message, example)


def _text_term(family: str, name: str) -> Term:
    return Term(Key(family, name), Op.EQ, ("1",))


def _echo(text: str) -> str:
    """Return what the person wrote, cut to a length a message can carry."""
    return text if len(text) <= _LONGEST_ECHO else text[: _LONGEST_ECHO - 1] + "…"
