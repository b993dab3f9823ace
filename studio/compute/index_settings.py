"""The package index of a machine as its administrator set it for pip, told to uv, which does not
read pip's settings."""

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

# pip's name -> uv's variables, the first of which is written; any of them set already is kept.
SAME = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
}
NO_INDEX = "no-index"
STRATEGY = "UV_INDEX_STRATEGY"
COMMAS = {"UV_FIND_LINKS"}


def for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv ask where pip would: from pip's own variables and files. Those
    that the machine sets for uv itself are left as they are."""
    told, found = pip_settings(environ), {}
    for name, variables in SAME.items():
        words = told.get(name, "").split()
        if words and not any(environ.get(variable) for variable in variables):
            found[variables[0]] = ("," if variables[0] in COMMAS else " ").join(words)
    if "UV_INDEX" in found and not environ.get(STRATEGY):
        # pip takes the best version of all its indexes, uv those of the first that has the package.
        found[STRATEGY] = "unsafe-best-match"
    return found


def no_index(environ: Mapping[str, str]) -> bool:
    """Whether pip would ask no index at all, which uv takes as an argument only."""
    return pip_settings(environ).get(NO_INDEX, "").lower() in {"1", "true", "yes", "on"}


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip would do, by its own names: its variables before its files."""
    told = _from_files(environ)
    for name in (*SAME, NO_INDEX):
        value = environ.get(f"PIP_{name.upper().replace('-', '_')}")
        if value is not None:
            told[name] = value
    return told


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip's files say for installs, where the later file and the narrower section win."""
    told: dict[str, str] = {}
    for file in pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip says itself what is wrong with its file
        for section in ("global", "install"):
            for name in (*SAME, NO_INDEX):
                if parser.has_option(section, name):
                    told[name] = parser.get(section, name)
    return told


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """The files that pip reads, in its order."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(environ.get("HOME") or "/nonexistent")
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    found = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    return [*found, user / "pip" / "pip.conf", *([Path(chosen)] if chosen else [])]
