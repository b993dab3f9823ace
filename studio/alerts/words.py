"""What messages say. Pure: from kept facts to texts."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from studio.alerts.models import Delivery

MAX_SUBJECT = 180
MAX_ROW = 500


def one_line(text: object) -> str:
    """A text without line breaks and other controls: a header, or a line of its own."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def duration(seconds: float | None) -> str:
    """1 h 2 min, 3 min 4 s, 5.6 s, or – for none."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole >= 3_600:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60} s"
    return f"{seconds:.1f} s"


def headline(told: dict[str, Any]) -> str:
    """What happened, in one line: “Failed: vision / resnet-12”."""
    if "runs" in told:
        n = told.get("n", 0)
        return one_line(f"{n:,} {'run' if n == 1 else 'runs'} {told.get('what', '')}")
    name = f"{told.get('experiment', '')} / {told.get('name', '')}"
    return one_line(f"{told.get('what') or told.get('status', '')}: {name}")


def rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What is told of one run, as (label, text of one line); none of several runs."""
    if "runs" in told:
        return []
    before = f" (was {told['before']})" if told.get("before") else ""
    value = told.get("value")
    found = [
        ("Experiment", told.get("experiment")),
        ("Run", told.get("name")),
        ("Status", f"{told['status']}{before}" if told.get("status") else ""),
        ("Reason", told.get("reason")),
        ("Last value", f"{value:g}" if isinstance(value, float) else value),
        ("Duration", duration(told.get("duration_s"))),
        ("Submitter", told.get("submitter") or "–"),
        ("Error", told.get("error")),
    ]
    return [(label, one_line(text)[:MAX_ROW]) for label, text in found if text]


def subject(deliveries: Sequence[Delivery]) -> str:
    """The subject of a mail about these deliveries."""
    prefix = "[studio] Test: " if deliveries[0].firing.is_test else "[studio] "
    if len(deliveries) == 1:
        text = headline(deliveries[0].firing.facts)
    else:
        rules = {one.firing.rule.name for one in deliveries}
        of = f"“{next(iter(rules))}”" if len(rules) == 1 else f"{len(rules)} rules"
        text = f"{len(deliveries):,} alerts of {of}"
    return one_line(prefix + text)[:MAX_SUBJECT]


def rule_url(delivery: Delivery) -> str:
    rule = delivery.firing.rule
    return f"{settings.STUDIO_BASE_URL}/w/{rule.workspace.name}/alerts/{rule.uid}"


def view_url(told: dict[str, Any]) -> str:
    """Where the view of the facts is, "" for none."""
    if not told.get("view"):
        return ""
    return f"{settings.STUDIO_BASE_URL}/w/{told['workspace']}/views/{told['view']}"
