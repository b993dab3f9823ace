"""The state of a comparison, read from and written to its URL. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from studio.runs.limits import MAX_KEY
from studio.runs.models import UID_RULE
from studio.search.comparing import MOST_RUNS, SECTIONS, STATS, Asked

# Any text without a chart would do.
NO_CHARTS = "none"
MOVES = {"left": -1, "right": 1}
_UID = re.compile(UID_RULE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: `chosen` uids in the order of their columns, the `base` first of all;
    everything: rows that are alike too; stat: of metrics; find: what names hold; folded, whole:
    keys of sections without rows, and of those shown as a whole; charts: the text of
    `custom_views.charts`, "" for a line of each common metric, NO_CHARTS for none; n_asked: how
    many uids were given.
    """

    chosen: tuple[str, ...] = ()
    base: str = ""
    everything: bool = False
    stat: str = STATS[0]
    find: str = ""
    folded: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    charts: str = ""
    n_asked: int = 0

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Comparison":
        """Read a URL's query; what can't be read falls back to its default."""
        asked = [uid for uid in dict.fromkeys(query.get("chosen", "").split(",")) if uid]
        chosen = tuple(uid for uid in asked if _UID.fullmatch(uid))[:MOST_RUNS]
        base, stat = query.get("base", ""), query.get("stat", "")
        found = cls(
            chosen=chosen,
            everything=query.get("only", "") == "all",
            stat=stat if stat in STATS else STATS[0],
            find=query.get("find", "").replace("\0", "").strip()[:MAX_KEY],
            folded=_sections(query.get("folded", "")),
            whole=_sections(query.get("whole", "")),
            charts=query.get("charts", ""),
            n_asked=len(asked),
        )
        return found.with_base(base) if base in chosen else found

    def parameters(self, *, without: Iterable[str] = ()) -> dict[str, str]:
        """The URL's parameters, defaults left out, and those of these names."""
        parts = {
            "chosen": ",".join(self.chosen),
            "base": self.base,
            "only": "all" if self.everything else "",
            "stat": "" if self.stat == STATS[0] else self.stat,
            "find": self.find,
            "folded": ",".join(self.folded),
            "whole": ",".join(self.whole),
            "charts": self.charts,
        }
        left_out = set(without)
        return {key: value for key, value in parts.items() if value and key not in left_out}

    def to_query(self, **also: str) -> str:
        """The query part of the URL with other parameters in front; "" for nothing."""
        text = urlencode({**also, **self.parameters()}, safe=":,", quote_via=quote)
        return f"?{text}" if text else ""

    @property
    def asked(self) -> Asked:
        return Asked(
            stat=self.stat,
            find=self.find,
            only_differences=not self.everything,
            folded=self.folded,
            whole=self.whole,
        )

    def of(self, uids: Iterable[str]) -> "Comparison":
        """Only these of the chosen runs."""
        known = set(uids)
        chosen = tuple(uid for uid in self.chosen if uid in known)
        return replace(self, chosen=chosen, base=self.base if self.base in known else "")

    def without(self, uid: str) -> "Comparison":
        return self.of(one for one in self.chosen if one != uid)

    def with_base(self, uid: str) -> "Comparison":
        """With this baseline, which goes to the front; "" for none."""
        others = tuple(one for one in self.chosen if one != uid)
        return replace(self, base=uid, chosen=(uid, *others) if uid else self.chosen)

    def moved(self, uid: str, by: int) -> "Comparison":
        """With the column moved by -1 or 1, if it can go there: the baseline stays in front."""
        at = self.chosen.index(uid)
        to = at + by
        first = 1 if self.base else 0
        if at < first or not first <= to < len(self.chosen):
            return self
        order = list(self.chosen)
        order[at], order[to] = order[to], order[at]
        return replace(self, chosen=tuple(order))

    def changed(self, text: str) -> "Comparison":
        """What a button of a column makes of it: `base:uid` (or no longer the base), `left:uid`,
        `right:uid`, `without:uid`; anything else changes nothing."""
        what, _, uid = text.partition(":")
        if uid not in self.chosen:
            return self
        if what == "base":
            return self.with_base("" if uid == self.base else uid)
        if what == "without":
            return self.without(uid)
        return self.moved(uid, MOVES[what]) if what in MOVES else self

    def only_two(self, uid: str, other: str) -> "Comparison":
        return replace(self, chosen=(uid, other), base=uid if uid == self.base else "")

    def with_runs(self, uids: Iterable[str]) -> "Comparison":
        """With these runs behind those that are chosen, as many as fit."""
        return replace(self, chosen=tuple(dict.fromkeys((*self.chosen, *uids)))[:MOST_RUNS])

    def with_charts(self, charts: str) -> "Comparison":
        return replace(self, charts=charts)

    def with_everything(self, everything: bool) -> "Comparison":
        return replace(self, everything=everything)

    def with_stat(self, stat: str) -> "Comparison":
        return replace(self, stat=stat)

    def with_find(self, text: str) -> "Comparison":
        return replace(self, find=text)

    def with_fold(self, section: str) -> "Comparison":
        """The section folded, or unfolded."""
        folded = tuple(key for key in self.folded if key != section)
        return replace(self, folded=folded if section in self.folded else (*self.folded, section))

    def with_whole(self, section: str) -> "Comparison":
        return replace(self, whole=(*self.whole, section))


def _sections(text: str) -> tuple[str, ...]:
    return tuple(key for key in dict.fromkeys(text.split(",")) if key in SECTIONS)
