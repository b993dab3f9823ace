"""Which keys of metrics, parameters and tags there can be: those that every MLflow server takes."""

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache

from studio.mlflow_api.errors import wrong

MAX_KEY = 250
KEY = re.compile(r"[\w.\- :/]+")


def check_keys(keys: Iterable[str], kind: str) -> None:
    """Raise MlflowError for a key that can't be; `kind` is metric, parameter or tag."""
    for key in keys:
        problem = _problem(key)
        if problem:
            raise wrong(f"Invalid {kind} name: '{key[:300]}'. {problem}")


@lru_cache(maxsize=10_000)
def _problem(key: str) -> str:
    """What is wrong with a key; "" for nothing."""
    if len(key) > MAX_KEY:
        return f"It has {len(key):,} characters; at most {MAX_KEY} fit."
    if not KEY.fullmatch(key):
        return (
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
            "spaces ( ), colons (:) and slashes (/)."
        )
    if key == "." or key.startswith(("..", "/")) or posixpath.normpath(key) != key:
        return f"It must not resolve to another path: '{posixpath.normpath(key)[:300]}'."
    return ""
