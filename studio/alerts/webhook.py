"""One POST to a webhook: our own JSON, signed, or the text that Slack and its like take."""

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

from studio.alerts import outgoing, words
from studio.alerts.models import Channel, Delivery, Destination

MOST_IN_ONE = 100


def send(destination: Destination, deliveries: Sequence[Delivery], *, message_id: str) -> None:
    """Raises outgoing.Away for what may pass, outgoing.Refused for what will not."""
    is_slack = destination.channel == Channel.SLACK
    payload = slack_text(deliveries) if is_slack else document(deliveries, message_id=message_id)
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "studio-alerts",
        "X-Studio-Message": message_id,
    }
    if not is_slack:
        headers["X-Studio-Signature"] = signature(destination.secret, body, at=int(time.time()))
    answer = outgoing.post(destination.url, body, headers)
    if answer.is_accepted:
        return
    told = f"It answered {answer.status}: {words.one_line(answer.text)[:200]}"
    raise outgoing.Away(told) if answer.may_pass else outgoing.Refused(told)


def signature(secret: str, body: bytes, *, at: int) -> str:
    """`t=<epoch seconds>,v1=<hex of HMAC-SHA256(secret, "<t>." + body)>`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def document(deliveries: Sequence[Delivery], *, message_id: str) -> dict[str, Any]:
    """{"id", "test", "n", "alerts": [{"rule", "at", "headline", "facts"}]}, at most 100 alerts."""
    return {
        "id": message_id,
        "test": deliveries[0].firing.is_test,
        "n": len(deliveries),
        "alerts": [
            {
                "rule": {"uid": one.firing.rule.uid, "name": one.firing.rule.name},
                "rule_url": words.rule_url(one),
                "at": one.firing.at.isoformat(),
                "headline": words.headline(one.firing.facts),
                "facts": one.firing.facts,
            }
            for one in deliveries[:MOST_IN_ONE]
        ],
    }


def slack_text(deliveries: Sequence[Delivery]) -> dict[str, str]:
    """One line for each alert, its run as a link; names can't become markup."""
    lines = [_escaped(words.subject(deliveries))] if len(deliveries) > 1 else []
    for one in deliveries[:20]:
        told = one.firing.facts
        text, url = _escaped(words.headline(told)), told.get("url") or words.view_url(told)
        lines.append(f"<{url}|{text}>" if url else text)
        if told.get("error"):
            lines.append(f"> {_escaped(words.one_line(told['error'])[:300])}")
    if len(deliveries) > 20:
        lines.append(f"and {len(deliveries) - 20:,} more: {words.rule_url(deliveries[0])}")
    return {"text": "\n".join(lines)}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "¦")
