"""The Python environment of a submitted run in words, for its details and for Resubmit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.runs.actions.definitions import BUILT, GIVEN
from studio.runs.models import Property

MAX_PACKAGES = 5
# Characters of a key that tell it from others.
KEY_SHOWN = 12
HOW = {"cache": "found built", "given": ""}


@dataclass(frozen=True, slots=True)
class EnvironmentWords:
    """`what` it is made of; of one that was built its `key` and `how` it came about; the `python`
    version. Empty texts for what is not known, or not yet."""

    what: str
    python: str = ""
    key: str = ""
    how: str = ""


def environment_words(
    environment: Mapping[str, Any], properties: Iterable[Property] = ()
) -> EnvironmentWords:
    """`environment`: what the definition of the run says of it; its values may be of any kind."""
    known = {item.key: item.value for item in properties}
    made = f"built in {known.get('environment.seconds')} s"
    source = known.get("environment.source", "")
    return EnvironmentWords(
        _what(environment),
        known.get("environment.python", ""),
        known.get("environment.key", "")[:KEY_SHOWN],
        HOW.get(source, made) if source else "",
    )


def _what(environment: Mapping[str, Any]) -> str:
    python, kind = str(environment.get("python") or ""), environment.get("kind")
    if kind == BUILT:
        words = " and ".join(_made_of(environment))
        words = f"Built from {words}" + (f", on {python}" if python else "")
    else:
        words = f"Interpreter {python}" if kind == GIVEN else "The worker's own Python"
    name = str(environment.get("name") or "")
    return f"“{name}”: {words[:1].lower()}{words[1:]}" if name else words


def _made_of(environment: Mapping[str, Any]) -> list[str]:
    file, packages = environment.get("requirements"), environment.get("packages")
    found = [str(file)] if file else []
    if isinstance(packages, list | tuple) and packages:
        more = f" and {len(packages) - MAX_PACKAGES} more" if len(packages) > MAX_PACKAGES else ""
        found.append(", ".join(map(str, packages[:MAX_PACKAGES])) + more)
    return found
