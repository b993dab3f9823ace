"""Tags, properties, parameters and the star of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.sdk.errors import UserErrorException
from studio.sdk.state import RunState, checked_texts


class Labels(RunState):
    """The labelling half of a run."""

    @property
    def tags(self) -> dict[str, str | None]:
        """The tags as last fetched; `get_tags` asks the studio."""
        return dict(self._known().get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """The properties as last fetched; `get_properties` asks the studio."""
        return dict(self._known().get("properties") or {})

    def tag(self, key: str, value: str | None = None) -> None:
        """Set one tag, with or without a value."""
        self.set_tags({key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; others stay. Values that are not strings become strings, with a warning."""
        if checked := checked_texts(tags, "set_tags"):
            self._change("tags", {"set": checked})
            self._record.setdefault("tags", {}).update(checked)

    def remove_tags(self, tags: Iterable[str]) -> list[str]:
        """Remove tags by key; returns the keys. Unknown keys are ignored."""
        keys = [tags] if isinstance(tags, str) else list(tags)
        if keys:
            self._change("tags", {"remove": keys})
            for key in keys:
                self._record.get("tags", {}).pop(key, None)
        return keys

    def get_tags(self) -> dict[str, str | None]:
        """The tags now; a tag without a value has None."""
        return dict(self._fetch().get("tags") or {})

    def add_properties(self, properties: dict[str, Any]) -> None:
        """Add properties, which are write-once: the same value again is fine, another value
        raises PropertyConflictException and changes nothing."""
        checked = checked_texts(properties, "add_properties")
        if any(value is None for value in checked.values()):
            raise UserErrorException("add_properties: a property needs a value")
        if checked:
            self._change("properties", {"set": checked})

    def get_properties(self) -> dict[str, str]:
        """The properties now."""
        return dict(self._fetch().get("properties") or {})

    def set_parameters(self, parameters: dict[str, Any]) -> None:
        """Set parameters (strings, numbers, bools), such as the learning rate."""
        if parameters:
            self._change("parameters", {"set": dict(parameters)})

    def get_parameters(self) -> dict[str, Any]:
        """The parameters now."""
        return dict(self._fetch().get("parameters") or {})

    def star(self, starred: bool = True) -> None:
        """Mark the run as a favourite of yours, or take the mark off."""
        self._change("star", {"starred": bool(starred)})
