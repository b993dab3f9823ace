"""Messages that make, change and share custom views."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from studio.wire import checks
from studio.wire.checks import choice, flag, integer, json_object, mapping, text
from studio.wire.messages import Message

MAX_GRANTS = 500
LISTS = ("runs", "experiment", "pipelines")


@dataclass(frozen=True)
class ViewCreate(Message):
    """A new private view. `state`: the parameters of the list's address, each a text; `experiment`:
    the name, of a view of one."""

    name: str = field(metadata={"check": text(most=checks.MAX_NAME)})
    description: str = field(default="", metadata={"check": text(most=checks.MAX_DESCRIPTION)})
    list: str = field(default="runs", metadata={"check": choice(*LISTS)})
    experiment: str = field(default="", metadata={"check": text(most=checks.MAX_NAME)})
    state: dict[str, Any] = field(default_factory=dict, metadata={"check": json_object})


@dataclass(frozen=True)
class ViewEdit(Message):
    """What to change of a view; what is left out stays, `state` is replaced as a whole. `version`
    is the one the writer saw; `overwrite`: whatever is stored now."""

    name: str | None = field(default=None, metadata={"check": text(most=checks.MAX_NAME)})
    description: str | None = field(
        default=None, metadata={"check": text(most=checks.MAX_DESCRIPTION)}
    )
    state: dict[str, Any] | None = field(default=None, metadata={"check": json_object})
    version: int | None = field(default=None, metadata={"check": integer()})
    overwrite: bool = field(default=False, metadata={"check": flag})


@dataclass(frozen=True)
class ViewShare(Message):
    """Who else sees (`see`) and changes (`edit`) a view: `everyone` in the workspace, "" for
    nobody, and `people` by user name. What was granted before and is not named ends."""

    everyone: str = field(metadata={"check": choice("", "see", "edit")})
    people: dict[str, str] = field(
        default_factory=dict,
        metadata={"check": mapping(choice("see", "edit"), most=MAX_GRANTS)},
    )


@dataclass(frozen=True)
class ViewCopy(Message):
    """The name of a copy; "" for “… copy”."""

    name: str = field(default="", metadata={"check": text(most=checks.MAX_NAME)})


@dataclass(frozen=True)
class ViewRestore(Message):
    """The version that becomes the newest again."""

    version: int = field(metadata={"check": integer(least=1)})


@dataclass(frozen=True)
class ViewPinned(Message):
    """Whether it stands in the sidebar of the person who asks."""

    pinned: bool = field(metadata={"check": flag})


@dataclass(frozen=True)
class ViewDefault(Message):
    """Whether it opens its list: for the person who asks, or for `everyone`."""

    on: bool = field(metadata={"check": flag})
    everyone: bool = field(default=False, metadata={"check": flag})
