"""The locked packages are enough for the oldest Python that the studio promises to run on."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import ROOT

# That of pyproject.toml, in its first release: Debian 12 has 3.11.2.
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}


def pinned(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {
        canonicalize_name(found[1]) for line in lines if (found := re.match(r"([\w.-]+)==", line))
    }


def needed(package: str) -> Iterator[str]:
    """What the package asks for on the oldest Python, without its extras."""
    try:
        asked = requires(package) or []
    except PackageNotFoundError:
        return  # of another system
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate({**OLDEST, "extra": ""}):
            yield canonicalize_name(requirement.name)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_nothing_is_missing_on_the_oldest_python(name: str) -> None:
    there = pinned(name)

    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    missing = {(package, other) for package in there for other in needed(package)}
    assert {pair for pair in missing if pair[1] not in there} == set()
