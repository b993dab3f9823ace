"""Ignore rules of a source folder: gitignore syntax, last matching rule wins."""

from __future__ import annotations

import re
from pathlib import Path

FILES = (".studioignore", ".amlignore", ".gitignore")
ALWAYS = (
    *(".git/", ".hg/", ".svn/", ".studio/", ".azureml/", "__pycache__/", "*.py[co]"),
    *(".venv/", "venv/", "node_modules/", ".ipynb_checkpoints/", ".mypy_cache/", ".pytest_cache/"),
    *(".ruff_cache/", ".tox/", ".nox/", ".cache/", ".DS_Store", "*.egg-info/"),
)


class Ignores:
    """The rules of a folder: ours first, then those of its first ignore file."""

    def __init__(self, lines: list[str]) -> None:
        rules = (_rule(line) for line in [*ALWAYS, *lines])
        self._rules = [rule for rule in rules if rule is not None]

    @classmethod
    def of(cls, folder: Path) -> Ignores:
        """The rules for a folder: `.studioignore`, else `.amlignore`, else `.gitignore`."""
        for name in FILES:
            file = folder / name
            if file.is_file():
                return cls(file.read_text(encoding="utf-8", errors="replace").splitlines())
        return cls([])

    def match(self, path: str, *, is_folder: bool) -> bool:
        """Whether the relative path is ignored; its parents must have been asked before."""
        ignored = False
        for pattern, folders_only, negated in self._rules:
            if (is_folder or not folders_only) and pattern.fullmatch(path):
                ignored = not negated
        return ignored


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = re.sub(r"(?<!\\)\s+$", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line.removeprefix("\\")
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    anchored = "/" in line
    pattern = _pattern(line.removeprefix("/"))
    return re.compile(pattern if anchored else f"(?:.*/)?{pattern}", re.S), folders_only, negated


def _pattern(glob: str) -> str:
    """A glob as a regular expression: `*` and `?` stay inside one folder, `**` does not."""
    tokens = re.findall(r"^\*\*/|/\*\*/|/\*\*$|\*+|\?|\[!?\]?[^\]]*\]|\\?.", glob, re.S)
    words = {"**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "/.*", "?": "[^/]"}
    return "".join(words.get(token) or _token(token) for token in tokens)


def _token(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token.startswith("[") and len(token) > 2:
        inner = token[1:-1].replace("\\", "\\\\")
        return "[^" + inner[1:] + "]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(token[1:] if token.startswith("\\") and len(token) > 1 else token)
