"""Python requirements as something that can be shared by its content: read, judged, normalised.

A requirements file means the same in every run of the same text, or it is refused: what it
includes is read in, files of the source are told apart by their bytes, and what reaches outside
the source (editable installs, paths of a machine) is refused with words.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from studio.compute.addresses import has_secret_login, without_logins

# Of all files together.
MAX_BYTES = 1_000_000
MAX_LINES = 10_000
MAX_DEPTH = 10
# Of one line as it stands, and of one that goes on after backslashes (packages with many hashes).
MAX_LINE = 8_000
MAX_JOINED = 64_000
MAX_NAME_BYTES = 255
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
# These two are for lines whose blanks are single ones: else they could take long.
NAMED_URL = re.compile(r"(?P<name>[\w.-]++ ?(\[[^\]]*\])? ?@ ?)(?P<url>\S+)(?P<rest>.*)", re.DOTALL)
PLAIN = re.compile(r"(?P<url>[^\s;\[]+)(?P<rest>.*)", re.DOTALL)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*+ ?([\[<>=!~;@(].*)?", re.DOTALL)
# What may end a line for one reader and not for another, or plays with a terminal.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
FILE_URL = re.compile(r"file:", re.IGNORECASE)
# A repository on the disk of a machine, for pip's `git+` and its like.
OF_MACHINE = re.compile(r"\+file:", re.IGNORECASE)
COMMENT = re.compile(r"(?:^|\s)#")


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
    """What was read so far. `reading`: the files that include each other; `read`: those that are
    done, and whether as constraints; `digests`: of files by their paths."""

    root: Path
    options: list[Line] = field(default_factory=list)
    packages: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    reading: list[Path] = field(default_factory=list)
    read: set[tuple[Path, bool]] = field(default_factory=set)
    digests: dict[Path, str] = field(default_factory=dict)
    n_bytes: int = 0
    n_lines: int = 0


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
    if len(text) > MAX_LINE:
        raise RequirementsError(
            f"“{without_logins(text[:80])}…” is longer than {MAX_LINE:,} characters."
        )
    text = text.strip()
    _check_text(text, "A package")
    text = " ".join(text.split())
    _check_address(text, "A package")
    named = NAMED_URL.fullmatch(text)
    is_local = _is_local(named["url"], named=True) if named else _is_local(text)
    if not NAME.fullmatch(text) or is_local:
        raise RequirementsError(
            f"“{text[:80]}” is not a package: write it as in “numpy>=2”. Options, paths and "
            "included files belong into a requirements file of the source."
        )
    return text


def _read_file(found: _Found, path: Path, *, constraints: bool, where: str) -> None:
    path = _inside(found, path, where)
    if (path, constraints) in found.read and path not in found.reading:
        return
    if path in found.reading or len(found.reading) >= MAX_DEPTH:
        raise RequirementsError(f"{where}: the files include each other without end.")
    if not path.is_file():
        raise RequirementsError(
            f"{where}: there is no such file in the source that was submitted. Check its name, and "
            "that no ignore file leaves it out."
        )
    found.read.add((path, constraints))
    found.reading.append(path)
    name = path.relative_to(found.root).as_posix()
    for number, line in _lines(found, path, name):
        _take(found, line, f"{name}, line {number}", path.parent, constraints=constraints)
    found.reading.pop()


def _text(found: _Found, path: Path, name: str) -> list[str]:
    """The lines of a file, which count towards what may be read in all."""
    found.n_bytes += path.stat().st_size
    if found.n_bytes > MAX_BYTES:
        raise RequirementsError(f"{name}: more than {MAX_BYTES:,} bytes, with all that is read in.")
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RequirementsError(f"{name}: not a text in UTF-8. Save it as UTF-8.") from None
    found.n_lines += len(lines)
    if found.n_lines > MAX_LINES:
        raise RequirementsError(f"{name}: more than {MAX_LINES:,} lines, with all that is read in.")
    return lines


def _lines(found: _Found, path: Path, name: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers: joined where one ends with a backslash, without comments."""
    parts: list[str] = []
    n, begins = 0, 1
    for number, line in enumerate([*_text(found, path, name), ""], 1):
        begins = begins if parts else number
        n = n + len(line) if parts else len(line)
        if len(line) > MAX_LINE or n > MAX_JOINED:
            most = f"{MAX_LINE:,} characters, or {MAX_JOINED:,} with those it goes on in"
            raise RequirementsError(f"{name}, line {number}: longer than {most}.")
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line[:-1])
            continue
        whole = without_comment("".join([*parts, line]))
        parts = []
        if whole:
            yield begins, whole


def without_comment(line: str) -> str:
    """A line of a requirements file without blanks and comments around what it says."""
    comment = COMMENT.search(line)
    return (line[: comment.start()] if comment else line).strip()


def _take(found: _Found, line: str, where: str, here: Path, *, constraints: bool) -> None:
    _check_text(line, where)
    if line.startswith("-"):
        _take_option(found, line, where, here, constraints=constraints)
    else:
        into = found.constraints if constraints else found.packages
        into.append(_package(found, line, where, here))


def _check_text(text: str, where: str) -> None:
    """Refuse what can't be in an option or a package."""
    if CONTROL.search(text):
        raise RequirementsError(f"{where}: contains a control character or the end of a line.")
    if FILLED_IN.search(text):
        raise RequirementsError(
            f"{where}: ${{…}} is not filled in here. Settings of a package index, with their "
            "passwords, belong into the worker's own pip or uv configuration."
        )


def _check_address(text: str, where: str) -> None:
    """Refuse an address of a package that nobody else could use, or that gives a secret away."""
    if has_secret_login(text):
        raise RequirementsError(
            f"{where}: an address has a password or token in it, which all who see the run could "
            "read. Configure the worker's index (pip or uv) or git with it instead."
        )
    if OF_MACHINE.search(text):
        raise RequirementsError(
            f"{where}: a repository on the disk of one machine can't be shared. Put a folder of it "
            "into the source, or name its address."
        )


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
        found.options.append(Line(f"--{name} ", str(source), "", _digest(found, source, where)))
    else:
        found.options.append(Line(f"--{name} {value}".strip()))


def _split_option(line: str) -> tuple[str, str]:
    """(long name, value) of `--name value`, `--name=value`, `-n value` or `-nvalue`."""
    if not line.startswith("--"):
        return SHORT.get(line[1:2], line[1:2]), line[2:].lstrip(" \t=")
    name, _, value = re.sub(r"[\s=]", " ", line[2:], count=1).partition(" ")
    return name, value.strip()


def _package(found: _Found, line: str, where: str, here: Path) -> Line:
    line = " ".join(line.split())
    _check_address(line, where)
    match = NAMED_URL.fullmatch(line) or PLAIN.fullmatch(line)
    if match is None:
        raise RequirementsError(f"{where}: “{line[:80]}” is not a requirement.")
    name, url = match.groupdict().get("name") or "", match["url"]
    if not _is_local(url, named=bool(name)):
        return Line(line)
    if FILE_URL.match(url):
        url = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", url, flags=re.IGNORECASE))
    source = _inside(found, here / url, where)
    before = f"{name.rstrip(' @')} @ " if name else ""
    return Line(before, str(source), match["rest"].rstrip(), _digest(found, source, where))


def _is_local(url: str, *, named: bool = False) -> bool:
    """Whether a requirement names a file or folder, not a package or an address."""
    if FILE_URL.match(url):
        return True
    first = re.split(r"[\s;\[@]", url, maxsplit=1)[0]
    if "://" in first:
        return False
    return named or "/" in first or first.startswith(".") or bool(ARCHIVE.search(first))


def _inside(found: _Found, path: Path, where: str) -> Path:
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.parts) or len(path.parts) > 500:
        raise RequirementsError(f"{where}: no file has a name as long as that.")
    path = path.resolve()
    if not path.is_relative_to(found.root):
        raise RequirementsError(
            f"{where}: {path.name} lies outside the source folder. Only what lies in it travels to "
            "the worker: put the file there and write its path from the requirements file."
        )
    return path


def _digest(found: _Found, path: Path, where: str) -> str:
    """The content of a file, or of a folder with the names in it, as a digest."""
    if not path.exists():
        raise RequirementsError(f"{where}: there is no {path.name} in the source.")
    files = [path] if path.is_file() else _files_below(path, where)
    whole = hashlib.sha256()
    for file in files:
        content = f"link to {file.readlink()}" if file.is_symlink() else _content(found, file)
        whole.update(f"{file.relative_to(path.parent).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _content(found: _Found, file: Path) -> str:
    """The digest of one file, which is read once however many lines lead to it."""
    if file not in found.digests:
        with file.open("rb") as opened:
            found.digests[file] = hashlib.file_digest(opened, "sha256").hexdigest()
    return found.digests[file]


def _files_below(folder: Path, where: str) -> list[Path]:
    """Its files and links in their order; a link is not followed, and must stay within it, since an
    installer gets a copy of the folder."""
    found = []
    for here, folders, files in os.walk(folder, followlinks=False):
        links = [name for name in folders if Path(here, name).is_symlink()]
        for path in (Path(here, name) for name in [*files, *links]):
            leads_out = path.is_symlink() and (
                path.readlink().is_absolute() or not path.resolve().is_relative_to(folder)
            )
            if leads_out:
                raise RequirementsError(
                    f"{where}: the link {path.name} leads out of the folder {folder.name}. Put the "
                    "file itself there."
                )
            if path.is_symlink() or path.is_file():
                found.append(path)
    return sorted(found)
