"""The form of an alert rule: what was typed, and the draft it means."""

from dataclasses import dataclass, field, replace
from typing import Self

from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.models import AlertRule, Channel, Edge, Kind
from studio.runs.limits import Invalid
from studio.runs.status import Status
from studio.web.access import Request

# Seconds in each unit that the form offers.
UNITS = {"min": 60.0, "h": 3_600.0, "d": 86_400.0}
USUAL_STATUSES = (Status.FAILED, Status.NOT_RESPONDING)


@dataclass(frozen=True, slots=True)
class AlertForm:
    """As it stands in the form: all texts; `people`: user names of a workspace's rule; `hooks`,
    `slack`: addresses, one a line. `error` is about the field `wrong`."""

    name: str = ""
    kind: str = Kind.STATUS.value
    is_shared: bool = False
    query: str = ""
    statuses: tuple[str, ...] = field(default=tuple(status.value for status in USUAL_STATUSES))
    metric: str = ""
    operator: str = "<"
    threshold: str = ""
    time: str = "30"
    unit: str = "min"
    edge: str = Edge.ENTER.value
    digest: str = ""
    mail: bool = True
    people: tuple[str, ...] = ()
    hooks: str = ""
    slack: str = ""
    error: str = ""
    wrong: str = ""

    @classmethod
    def typed(cls, request: Request, *, kind: str) -> Self:
        """What somebody sent."""
        sent = request.POST
        names = ("name", "query", "metric", "operator", "threshold", "time", "unit", "edge")
        texts = {name: sent.get(name, "") for name in (*names, "digest", "hooks", "slack")}
        return cls(
            **texts,
            kind=kind,
            is_shared=sent.get("is_shared") == "1",
            statuses=tuple(sent.getlist("statuses")),
            mail=sent.get("mail") == "1",
            people=tuple(sent.getlist("people")),
        )

    @classmethod
    def of_rule(cls, rule: AlertRule) -> Self:
        """The rule as a form (1 query)."""
        found = list(rule.destinations.select_related("user").order_by("pk"))
        by_mail = [one for one in found if one.channel == Channel.EMAIL]
        time, unit = _time_of(rule.seconds)
        return cls(
            name=rule.name,
            kind=rule.kind,
            is_shared=rule.is_shared,
            query=rule.query,
            statuses=tuple(rule.statuses),
            metric=rule.metric,
            operator=rule.operator or "<",
            threshold="" if rule.threshold is None else f"{rule.threshold:g}",
            time=time,
            unit=unit,
            edge=rule.edge or Edge.ENTER.value,
            digest=rule.digest,
            mail=bool(by_mail),
            people=tuple(one.user.get_username() for one in by_mail if one.user),
            hooks="\n".join(one.url for one in found if one.channel == Channel.WEBHOOK),
            slack="\n".join(one.url for one in found if one.channel == Channel.SLACK),
        )

    def draft(self) -> RuleDraft:
        """What the form means. Raises Invalid for what is no number."""
        return RuleDraft(
            name=self.name,
            kind=self.kind,
            query=self.query,
            statuses=self.statuses,
            metric=self.metric,
            operator=self.operator,
            threshold=_number("threshold", self.threshold),
            seconds=self._seconds(),
            edge=self.edge,
            digest=self.digest,
            addresses=self._addresses(),
        )

    def _seconds(self) -> float | None:
        if self.kind not in (Kind.SILENCE, Kind.DURATION):
            return None
        number = _number("seconds", self.time)
        return None if number is None else number * UNITS.get(self.unit, 60.0)

    def _addresses(self) -> list[Address]:
        mails = (
            [Address(Channel.EMAIL, user=name) for name in self.people]
            if self.is_shared
            else [Address(Channel.EMAIL)] * self.mail
        )
        hooks = [Address(Channel.WEBHOOK, url=line) for line in self.hooks.split() if line]
        return [*mails, *hooks, *(Address(Channel.SLACK, url=url) for url in self.slack.split())]

    def refused(self, invalid: Invalid) -> "AlertForm":
        return replace(self, error=str(invalid), wrong=invalid.field)


def _number(field_name: str, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as error:
        raise Invalid(field_name, f"“{text[:50]}” is no number.") from error


def _time_of(seconds: float | None) -> tuple[str, str]:
    """A time as number and unit, in the largest unit that fits."""
    if not seconds:
        return "30", "min"
    for unit in ("d", "h"):
        if seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:g}", unit
    return f"{seconds / 60:g}", "min"
