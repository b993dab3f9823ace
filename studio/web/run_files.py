"""The opened files of the tab Outputs + logs: their tabs, and a preview of the one in front."""

import posixpath
import re
from dataclasses import dataclass, replace
from html import escape, unescape
from typing import Any
from urllib.parse import unquote, urlencode

from django.urls import reverse

from studio.artifacts import previews, viewing
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.preview_tables import Table
from studio.artifacts.previews import Preview
from studio.runs.models import Run
from studio.web.access import Request
from studio.web.log_viewer import log_view, number_of
from studio.web.run_snapshot import MAX_LINES, cut

MAX_TABS = 8
# Servers and browsers refuse addresses of more than a few thousand characters.
MAX_CARRIED = 1_200
_IMAGE = re.compile(r'<img (?:[^"<>]|"[^"]*")*>')
_SOURCE = re.compile(r' src="([^"]*)"')
_ALT = re.compile(r' alt="([^"]*)"')


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A tab. url: brings it to the front; close_url: the page without it, "" for the only one;
    beside_url: shows it beside the one in front."""

    path: str
    name: str
    url: str
    close_url: str
    beside_url: str
    is_front: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What the address says next to the path: the files opened before, the open folders, and the
    file that stands beside the one in front."""

    here: str
    opened: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    beside: str = ""

    @classmethod
    def of(cls, request: Request, run: Run) -> "Place":
        here = reverse("run-logs", args=[request.workspace.name, run.uid])
        opened = tuple(dict.fromkeys(filter(None, request.GET.getlist("open"))))
        folders = fitting(tuple(request.GET.getlist("dir")))
        beside = "".join(fitting((request.GET.get("beside", ""),)))
        return cls(here, fitting(opened), folders, beside)

    @property
    def carried(self) -> str:
        """The query of all this, with a leading &; "" for none."""
        beside = {"beside": self.beside} if self.beside else {}
        query = urlencode({"open": self.opened, "dir": self.folders, **beside}, doseq=True)
        return f"&{query}" if query else ""

    def url_of(self, path: str, **more: Any) -> str:
        return f"{self.here}?{urlencode({'path': path, **more})}{self.carried}"

    def with_beside(self, path: str) -> "Place":
        return replace(self, beside=path)

    def swapped(self, path: str) -> "Place":
        """With `path` beside the file that stands beside it now."""
        return self.with_beside(path).with_front(self.beside)

    def with_front(self, path: str) -> "Place":
        """With `path` among the opened files; the oldest give way to it."""
        if path in self.opened:
            return self
        return replace(self, opened=fitting((*self.opened[1 - MAX_TABS :], path)))


def fitting(texts: tuple[str, ...]) -> tuple[str, ...]:
    """As many of the last ones as an address has room for."""
    kept: list[str] = []
    for text in reversed(texts[-50:]):
        if sum(map(len, kept)) + len(text) > MAX_CARRIED:
            break
        kept.append(text)
    return tuple(reversed(kept))


def tabs_of(place: Place, path: str) -> list[OpenedFile]:
    """The opened files in the order they were opened; the one in front is always among them."""
    paths = place.opened if path in place.opened else (*place.opened, path)
    tabs = []
    for n, opened in enumerate(paths):
        rest = replace(
            place,
            opened=tuple(other for other in paths if other != opened),
            beside="" if place.beside == opened else place.beside,
        )
        neighbours = (*paths[n + 1 : n + 2], *paths[max(0, n - 1) : n])
        front = path if opened != path else "".join(neighbours[:1])
        tabs.append(
            OpenedFile(
                opened,
                opened.rpartition("/")[2],
                place.url_of(opened),
                rest.url_of(front) if front else "",
                "" if opened == path else place.with_beside(opened).url_of(path),
                is_front=opened == path,
            )
        )
    return tabs


def opened_view(
    request: Request, run: Run, artifact: Artifact | None, path: str, place: Place
) -> dict[str, Any]:
    """For `artifacts/_preview.html` when view is "preview", else for `artifacts/_log.html`; with
    switches: (words, address, whether it is this one) of Preview and Raw, none when there is only
    one of both. 1 query for the images of Markdown."""
    asked_raw = request.GET.get("view") == "raw" or "line" in request.GET
    if artifact is None or artifact.is_log:
        return {**log_view(request, run, artifact, path), "switches": []}
    shown = None
    if not asked_raw or not viewing.is_text(artifact):
        shown = previews.preview_of(artifact, first=number_of(request, "rows") or 0)
    if shown is None:
        switches = switches_of(place, path, is_raw=True) if asked_raw else []
        return {**log_view(request, run, artifact, path), "switches": switches}
    args = [request.workspace.name, run.uid]
    return {
        "view": "preview",
        "artifact": artifact,
        "path": path,
        "preview": with_images_of(run, artifact, shown, args),
        "lines": [cut(n, spans) for n, spans in enumerate(shown.lines[:MAX_LINES], 1)],
        "n_more_lines": max(0, len(shown.lines) - MAX_LINES),
        "switches": switches_of(place, path, is_raw=False) if shown.is_text else [],
        "download_url": reverse("run-file", args=[*args, artifact.path]),
        "image_url": reverse("run-image", args=[*args, artifact.path]),
        **row_links(place, path, shown.table),
    }


def switches_of(place: Place, path: str, *, is_raw: bool) -> list[tuple[str, str, bool]]:
    return [
        ("Preview", place.url_of(path), not is_raw),
        ("Raw", place.url_of(path, view="raw"), is_raw),
    ]


def row_links(place: Place, path: str, table: Table | None) -> dict[str, str]:
    """earlier_rows_url and later_rows_url, "" when there are none."""
    if table is None:
        return {}
    n = len(table.rows)
    earlier = max(0, table.first - (n or table.first))
    return {
        "earlier_rows_url": place.url_of(path, rows=earlier) if table.first else "",
        "later_rows_url": place.url_of(path, rows=table.first + n) if table.has_more else "",
    }


def with_images_of(run: Run, artifact: Artifact, shown: Preview, args: list[Any]) -> Preview:
    """Markdown with the images that are files of the run; the words of others stand in their
    place (1 query when there are any)."""
    if "<img " not in shown.html:
        return shown
    folder = artifact.path.rpartition("/")[0]

    def target(image: str) -> str:
        source = _SOURCE.search(image)
        written = unquote(unescape(source[1])) if source else ""
        return posixpath.normpath(posixpath.join(folder, written)) if written else ""

    images = _IMAGE.findall(shown.html)
    hashes = {hash_of_path(path) for path in map(target, images[:200])}
    own = set(Artifact.objects.of(run).filter(path_hash__in=hashes).values_list("path", flat=True))

    def drawn(found: re.Match[str]) -> str:
        path, words = target(found[0]), _ALT.search(found[0])
        alt = words[1] if words else ""
        if path not in own:
            return f'<span class="faint">[image: {alt or "without words"}]</span>'
        return f'<img src="{escape(reverse("run-image", args=[*args, path]))}" alt="{alt}">'

    return replace(shown, html=_IMAGE.sub(drawn, shown.html))
