"""Alert rules of a workspace: what people are told of its runs."""

from __future__ import annotations

from typing import Any

from studio.sdk.client import Client


class AlertRules:
    """`ws.alert_rules`: the rules that this token's person sees, as plain dicts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> list[dict[str, Any]]:
        """Own rules and those of the workspace, newest first."""
        return [*self._client.items("/alert-rules")]

    def create(self, name: str, **what: Any) -> dict[str, Any]:
        """A new rule: `ws.alert_rules.create("Broken", query="is:mine", statuses=["Failed"])`.

        `what`: the fields of POST /alert-rules. By default a mail goes to this token's person.
        """
        made: dict[str, Any] = self._client.post("/alert-rules", {"name": name, **what})
        return made

    def delete(self, rule: str | dict[str, Any]) -> None:
        """Delete a rule, given as its uid or as `list` gave it."""
        uid = rule if isinstance(rule, str) else rule["uid"]
        self._client.request("DELETE", f"/alert-rules/{uid}")
