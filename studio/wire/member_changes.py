"""Messages that let people into a workspace and change what they may do there."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.wire.checks import choice, flag, text
from studio.wire.messages import Message

ROLES = ("reader", "contributor", "owner")


@dataclass(frozen=True)
class MemberAdd(Message):
    """Who comes in: the account called `name` or, with `new`, one that is made now. `full_name`
    and `email` are of a new one."""

    name: str = field(metadata={"check": text(least=1, most=150)})
    role: str = field(default="contributor", metadata={"check": choice(*ROLES)})
    new: bool = field(default=False, metadata={"check": flag})
    full_name: str = field(default="", metadata={"check": text(most=150)})
    email: str = field(default="", metadata={"check": text(most=254)})


@dataclass(frozen=True)
class MemberRole(Message):
    """What a member is from now on."""

    role: str = field(metadata={"check": choice(*ROLES)})
