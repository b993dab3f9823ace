"""Texts over the steps as a figure: when a run was in which phase. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from studio.web.figures import Figure, Trace, Xs, lines, template_words, words

# So many different texts find room beside the chart.
MAX_TEXTS = 12
MAX_CHANGES = 2_000
MAX_NAME = 24


def can_draw(values: Sequence[Any]) -> bool:
    """Whether there are several values and few different ones."""
    return len(values) > 1 and len(set(map(_word, values))) <= MAX_TEXTS


def texts(x: Xs, values: Sequence[Any], *, slot: int) -> Figure | None:
    """One height for each text, the first one on top; None for too many different texts.

    x and values have equal length; of a text that stays, the first and the last point are drawn.
    """
    if len(set(map(_word, values))) > MAX_TEXTS:
        return None
    said = [_word(value) for value in values]
    heights = {text: i for i, text in enumerate(dict.fromkeys(said))}
    changes = {i for i, (one, other) in enumerate(pairwise(said), 1) if one != other}
    kept = sorted({0, len(said) - 1, *changes, *(i - 1 for i in changes)})[-MAX_CHANGES:]
    trace = Trace("value", [x[i] for i in kept], [heights[said[i]] for i in kept], slot)  # type: ignore[arg-type]
    figure = lines([trace], x_label="", y_label="")
    figure["data"][0] |= {
        "line": {"shape": "hv"},
        "text": [template_words(said[i]) for i in kept],
        "hovertemplate": "%{text}<extra></extra>",
    }
    names = [text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…" for text in heights]
    figure["layout"]["yaxis"] |= {
        "tickvals": list(heights.values()),
        "ticktext": [words(name) for name in names],
        "range": [len(names) - 0.5, -0.5],
        "fixedrange": True,
    }
    return figure


def _word(value: Any) -> str:
    return "–" if value is None else str(value)
