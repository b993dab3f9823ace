"""Source text as lines of coloured spans, and the language that a file's name tells.

Pure, without Django: a hostile text may take Pygments long, so `markdown_worker` calls it where it
can be killed. Everybody else asks `coloured_lines.coloured`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pygments.lexers import (  # type: ignore[import-untyped, unused-ignore]
    get_lexer_by_name,
)
from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped, unused-ignore]

# (class of static/css/highlight.css or "", text)
Span = tuple[str, str]

# Written out: asking Pygments means trying 500 lexers, and those of plugins.
LANGUAGES = {
    **dict.fromkeys(("py", "pyi", "pyw"), "python"),
    **dict.fromkeys(("sh", "bash", "zsh"), "bash"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("json", "ipynb"), "json"),
    **dict.fromkeys(("ini", "cfg"), "ini"),
    **dict.fromkeys(("c", "h"), "c"),
    **dict.fromkeys(("cc", "cpp", "cu", "cuh", "hpp"), "cpp"),
    **dict.fromkeys(("js", "mjs"), "javascript"),
    **dict.fromkeys(("htm", "html"), "html"),
    **dict.fromkeys(("svg", "xml"), "xml"),
    **{"toml": "toml", "md": "markdown", "ts": "typescript", "css": "css", "sql": "sql"},
    **{"go": "go", "rs": "rust", "java": "java", "r": "r", "jl": "julia", "diff": "diff"},
    **{"dockerfile": "docker", "makefile": "make", "mk": "make", "cmake": "cmake"},
}
# The classes that static/css/highlight.css draws; the rest would only make pages larger.
COLOURED = frozenset(
    {
        *("c", "ch", "cm", "cp", "cpf", "c1", "cs"),
        *("k", "kc", "kd", "kn", "kp", "kr", "kt", "ow", "o"),
        *("s", "sa", "sb", "sc", "dl", "sd", "s2", "se", "sh", "si", "sx", "sr", "s1", "ss"),
        *("l", "ld", "m", "mb", "mf", "mh", "mi", "il", "mo", "no", "bp"),
        *("nc", "nd", "ne", "nf", "fm", "nb", "nn"),
        *("nt", "na", "ni", "nl", "nv", "vc", "vg", "vi", "vm", "py"),
        *("gd", "gi", "gh", "gu", "gp", "ge", "gs", "gr", "gt", "err"),
    }
)


def language_of(path: str) -> str:
    """The Pygments name of the language that the file's name tells; "" for none."""
    name = path.rpartition("/")[2].lower()
    return LANGUAGES.get(name.rpartition(".")[2], "")


def coloured(text: str, language: str) -> list[list[Span]]:
    """The lines of `text`, each as spans that together are exactly the line.

    Raises pygments.util.ClassNotFound for a language that there is not.
    """
    # Unprocessed: Pygments would strip and add line ends, and the numbers would be wrong.
    tokens = get_lexer_by_name(language).get_tokens_unprocessed(text)
    spans = ((STANDARD_TYPES.get(kind, ""), piece) for _, kind, piece in tokens)
    return lines_of((kind if kind in COLOURED else "", piece) for kind, piece in spans)


def plain(text: str) -> list[list[Span]]:
    """The lines of `text` without colours."""
    return lines_of([("", text)])


def lines_of(spans: Iterable[Span]) -> list[list[Span]]:
    """The spans cut at line feeds; blanks and neighbours of one class are joined to one span."""
    lines: list[list[Span]] = [[]]
    for kind, text in spans:
        for n, piece in enumerate(text.split("\n")):
            if n:
                lines.append([])
            if piece:
                _append(lines[-1], kind, piece)
    if len(lines) > 1 and not lines[-1]:
        # A line feed ends a line; behind the last one there is none.
        lines.pop()
    return lines


def _append(line: list[Span], kind: str, text: str) -> None:
    if line and (line[-1][0] == kind or text.isspace()):
        line[-1] = (line[-1][0], line[-1][1] + text)
    else:
        line.append((kind, text))
