"""The whole state of the experiments page, read from and written to its URL. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from studio.search.experiment_pages import DEFAULT_SORT, SORTS


@dataclass(frozen=True, slots=True)
class ExperimentState:
    """q: part of a name; sort: a key of SORTS; archived, starred: only those; after, before:
    cursors of the page below or above an experiment."""

    q: str = ""
    sort: str = DEFAULT_SORT
    archived: bool = False
    starred: bool = False
    after: str = ""
    before: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "ExperimentState":
        """Read a URL's query; what can't be read falls back to its default."""
        sort = query.get("sort", "")
        return cls(
            q=query.get("q", "").strip(),
            sort=sort if sort in SORTS else DEFAULT_SORT,
            archived=query.get("archived") == "1",
            starred=query.get("starred") == "1",
            after=query.get("after", ""),
            before=query.get("before", ""),
        )

    def parameters(self) -> dict[str, str]:
        """What the URL says; defaults are left out."""
        found = {
            "q": self.q,
            "sort": "" if self.sort == DEFAULT_SORT else self.sort,
            "archived": "1" if self.archived else "",
            "starred": "1" if self.starred else "",
            "after": self.after,
            "before": self.before,
        }
        return {name: value for name, value in found.items() if value}

    def to_query(self) -> str:
        """The query part of the URL, "" for the default view, else beginning with "?"."""
        text = urlencode(self.parameters())
        return f"?{text}" if text else ""

    def first_page(self) -> "ExperimentState":
        return replace(self, after="", before="")

    def with_after(self, cursor: str) -> "ExperimentState":
        return replace(self, after=cursor, before="")

    def with_before(self, cursor: str) -> "ExperimentState":
        return replace(self, after="", before=cursor)

    def with_sort(self, sort: str) -> "ExperimentState":
        return replace(self.first_page(), sort=sort)

    def with_archived(self, on: bool) -> "ExperimentState":
        return replace(self.first_page(), archived=on)

    def with_starred(self, on: bool) -> "ExperimentState":
        return replace(self.first_page(), starred=on)

    def without_search(self) -> "ExperimentState":
        return replace(self.first_page(), q="")
