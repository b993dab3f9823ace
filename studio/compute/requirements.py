"""Python requirements as something that can be shared by its content: read, judged, normalised.

A requirements file means the same in every run of the same text, or it is refused: what it
includes is read in, files of the source are told apart by their bytes, and what reaches outside
the source (editable installs, paths of a machine) is refused with words.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

MAX_FILE_BYTES = 1_000_000
MAX_LINES = 10_000
MAX_DEPTH = 10
# Names of options without their dashes.
SHORT = {
    "r": "requirement",
    "c": "constraint",
    "e": "editable",
    "i": "index-url",
    "f": "find-links",
}
WITH_VALUE = {"index-url", "extra-index-url", "find-links", "no-binary", "only-binary",
              "trusted-host"}  # fmt: skip
KEPT = WITH_VALUE | {"no-index", "pre", "prefer-binary", "require-hashes"}
ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tar\.\w+)$", re.IGNORECASE)
FILLED_IN = re.compile(r"\$\{[A-Z0-9_]+\}")
NAMED_URL = re.compile(
    r"(?P<name>[\w.-]+\s*(\[[^\]]*\])?\s*@\s*)(?P<url>\S+)(?P<rest>.*)", re.DOTALL
)
PLAIN = re.compile(r"(?P<url>[^\s;\[]+)(?P<rest>.*)", re.DOTALL)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*\s*([\[<>=!~;@(].*)?", re.DOTALL)


class RequirementsError(ValueError):
    """Requirements that can't be built or shared; the text says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the installer: `before` + the place of `source` + `after`. A source is a file or
    folder of the run's own source, `digest` its content."""

    before: str
    source: str = ""
    after: str = ""
    digest: str = ""

    @property
    def identity(self) -> str:
        """The line with the content of its source in place of its name."""
        return f"{self.before}{self.digest}{self.after}"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the installer gets: `options` in their order, `packages` and `constraints` sorted."""

    options: tuple[Line, ...] = ()
    packages: tuple[Line, ...] = ()
    constraints: tuple[Line, ...] = ()

    @property
    def identity(self) -> list[list[str]]:
        """The same for requirements that install the same, as lists of texts."""
        groups = (self.options, self.packages, self.constraints)
        return [[line.identity for line in group] for group in groups]


@dataclass(slots=True)
class _Found:
    """What was read so far; `reading`: the files that include each other."""

    root: Path
    options: list[Line] = field(default_factory=list)
    packages: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    reading: list[Path] = field(default_factory=list)


def read_requirements(root: Path, file: str = "", packages: Sequence[str] = ()) -> Requirements:
    """The requirements of the file `file` below `root` and of `packages` together.

    Raises RequirementsError.
    """
    found = _Found(root.resolve())
    if file:
        _read_file(found, found.root / file, constraints=False, where=file)
    for package in packages:
        found.packages.append(Line(check_package(package)))
    return Requirements(
        tuple(dict.fromkeys(found.options)),
        tuple(sorted(set(found.packages), key=lambda line: line.identity)),
        tuple(sorted(set(found.constraints), key=lambda line: line.identity)),
    )


def check_package(text: str) -> str:
    """One requirement such as `numpy>=2`, without blanks around it; no option, no path."""
    text = text.strip()
    named = NAMED_URL.fullmatch(text)
    is_local = _is_local(named["url"], named=True) if named else _is_local(text)
    if not NAME.fullmatch(text) or "\n" in text or "\r" in text or is_local:
        raise RequirementsError(
            f"“{text[:80]}” is not a package: write it as in “numpy>=2”. Options, paths and "
            "included files belong into a requirements file of the source."
        )
    return text


def _read_file(found: _Found, path: Path, *, constraints: bool, where: str) -> None:
    path = _inside(found, path, where)
    if path in found.reading or len(found.reading) >= MAX_DEPTH:
        raise RequirementsError(f"{where}: the files include each other without end.")
    if not path.is_file():
        raise RequirementsError(
            f"{where}: there is no such file in the source that was submitted. Check its name, and "
            "that no ignore file leaves it out."
        )
    found.reading.append(path)
    name = path.relative_to(found.root).as_posix()
    for number, line in _lines(path, name):
        _take(found, line, f"{name}, line {number}", path.parent, constraints=constraints)
    found.reading.pop()


def _lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers: joined where one ends with a backslash, without comments."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise RequirementsError(f"{name}: larger than {MAX_FILE_BYTES:,} bytes.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequirementsError(f"{name}: not a text in UTF-8. Save it as UTF-8.") from None
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise RequirementsError(f"{name}: more than {MAX_LINES:,} lines.")
    kept, begins = "", 1
    for number, line in enumerate(lines, 1):
        begins = begins if kept else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            kept += line[:-1]
            continue
        whole, kept = re.sub(r"(^|\s+)#.*$", "", kept + line).strip(), ""
        if whole:
            yield begins, whole
    if kept.strip():
        yield begins, kept.strip()


def _take(found: _Found, line: str, where: str, here: Path, *, constraints: bool) -> None:
    if "\0" in line:
        raise RequirementsError(f"{where}: contains a NUL.")
    if FILLED_IN.search(line):
        raise RequirementsError(
            f"{where}: ${{…}} is not filled in here. Settings of a package index, with their "
            "passwords, belong into the worker's own pip or uv configuration."
        )
    if line.startswith("-"):
        _take_option(found, line, where, here, constraints=constraints)
    else:
        into = found.constraints if constraints else found.packages
        into.append(_package(found, line, where, here))


def _take_option(found: _Found, line: str, where: str, here: Path, *, constraints: bool) -> None:
    name, value = _split_option(line)
    if name in ("requirement", "constraint"):
        is_constraint = constraints or name == "constraint"
        _read_file(found, here / value, constraints=is_constraint, where=f"{where} ({value})")
    elif name == "editable":
        raise RequirementsError(
            f"{where}: an editable install points into the folder of one run, so it can't be kept "
            "for others. The script can import what lies beside it; or write the path without -e."
        )
    elif name not in KEPT or constraints or (name in WITH_VALUE) != bool(value):
        raise RequirementsError(
            f"{where}: the option --{name} can't be used here. Allowed: "
            f"{', '.join(f'--{name}' for name in sorted(KEPT | {'requirement', 'constraint'}))}."
        )
    elif name == "find-links" and "://" not in value:
        source = _inside(found, here / value, where)
        found.options.append(Line(f"--{name} ", str(source), "", _digest(source, where)))
    else:
        found.options.append(Line(f"--{name} {value}".strip()))


def _split_option(line: str) -> tuple[str, str]:
    """(long name, value) of `--name value`, `--name=value`, `-n value` or `-nvalue`."""
    if not line.startswith("--"):
        return SHORT.get(line[1:2], line[1:2]), line[2:].lstrip(" \t=")
    name, _, value = re.sub(r"[\s=]", " ", line[2:], count=1).partition(" ")
    return name, value.strip()


def _package(found: _Found, line: str, where: str, here: Path) -> Line:
    match = NAMED_URL.fullmatch(line) or PLAIN.fullmatch(line)
    if match is None:
        raise RequirementsError(f"{where}: “{line[:80]}” is not a requirement.")
    name, url = match.groupdict().get("name") or "", match["url"]
    if not _is_local(url, named=bool(name)):
        return Line(" ".join(line.split()))
    if url.startswith("file:"):
        url = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", url))
    source = _inside(found, here / url, where)
    before = f"{name.rstrip(' @')} @ " if name else ""
    return Line(before, str(source), match["rest"].rstrip(), _digest(source, where))


def _is_local(url: str, *, named: bool = False) -> bool:
    """Whether a requirement names a file or folder, not a package or an address."""
    if url.startswith("file:"):
        return True
    first = re.split(r"[\s;\[@]", url, maxsplit=1)[0]
    if "://" in first:
        return False
    return named or "/" in first or first.startswith(".") or bool(ARCHIVE.search(first))


def _inside(found: _Found, path: Path, where: str) -> Path:
    path = path.resolve()
    if not path.is_relative_to(found.root):
        raise RequirementsError(
            f"{where}: {path.name} lies outside the source folder. Only what lies in it travels to "
            "the worker: put the file there and write its path from the requirements file."
        )
    return path


def _digest(path: Path, where: str) -> str:
    """The content of a file, or of a folder with the names in it, as a digest."""
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    else:
        raise RequirementsError(f"{where}: there is no {path.name} in the source.")
    whole = hashlib.sha256()
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(path.parent).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"
