"""What a reader chose on the tab Images. The address is the state: parse, and write back. Pure."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

from studio.web.typed import storable

# Each is a picture to load and a card to look at.
MAX_SHOWN = 12
MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class ImageState:
    """`names` are the ticked ones, `step` None the newest, `other` the uid of a run to compare."""

    names: tuple[str, ...] = ()
    find: str = ""
    step: int | None = None
    other: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "ImageState":
        """The state of a query string; what cannot be read is left at its default."""
        return cls(
            names=tuple(dict.fromkeys(name for name in query.getlist("m") if storable(name))),
            find=storable(query.get("find", "")).strip()[:255],
            step=whole_of(query.get("step", "")),
            other=storable(query.get("with", "")).strip()[:256],
        )

    def query(self) -> str:
        """The query string, "?" included, "" for the defaults."""
        pairs = [("m", name) for name in self.names]
        pairs += [("find", self.find)] if self.find else []
        pairs += [("step", str(self.step))] if self.step is not None else []
        pairs += [("with", self.other)] if self.other else []
        return f"?{urlencode(pairs)}" if pairs else ""

    def at(self, step: int | None) -> "ImageState":
        return replace(self, step=step)


def whole_of(text: str) -> int | None:
    """A whole number; None for anything else."""
    digits = text.strip().removeprefix("-")
    is_whole = digits.isascii() and digits.isdecimal() and len(digits) < MAX_DIGITS
    return int(text) if is_whole else None
