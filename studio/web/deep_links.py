"""Links of a description to runs, experiments, views, metrics and lines of logs, as the person who
looks may see them: with the name that the target has now, and as text where there is none."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.urls import reverse

from studio.artifacts.models import Artifact, hash_of_path
from studio.custom_views.finding import visible_views
from studio.custom_views.models import CustomView
from studio.metrics.models import Metric
from studio.runs.markdown_references import Link, Reference, filled, references_of
from studio.runs.models import Description, Experiment, ExperimentDescription, Run
from studio.web.access import Request

# More different ones stay text: a page asks for all of them in a few queries.
MOST_LINKS = 200
ADDRESS_OF_NONE = "0" * 40
Shown = TypeVar("Shown", Description, ExperimentDescription)


def linked(request: Request, description: Shown) -> Shown:
    """The description with the links of its HTML made for who asks (at most 5 queries, however many
    links; none without links)."""
    references = references_of(description.html, limit=MOST_LINKS)
    name = request.workspace.name
    images = reverse("attachment", args=[name, ADDRESS_OF_NONE]).removesuffix(ADDRESS_OF_NONE)
    links = Targets(request, references).links() if references else {}
    description.html = filled(description.html, links, attachments=images)
    return description


class Targets:
    """What the references of a text lead to, read by kind."""

    def __init__(self, request: Request, references: list[Reference]) -> None:
        self.request, self.references = request, references
        self.room = request.workspace
        in_runs = [one.name for one in references if one.kind in ("run", "metric", "log")]
        runs = Run.objects.of(self.room).filter(uid__in=set(in_runs)) if in_runs else ()
        self.runs = {run.uid: run for run in runs}

    def links(self) -> dict[str, Link]:
        """A link for each reference, by what is written, that leads somewhere."""
        makers: dict[str, Callable[[list[Reference]], dict[str, Link]]] = {
            "run": self._to_runs,
            "experiment": self._to_experiments,
            "view": self._to_views,
            "metric": self._to_metrics,
            "log": self._to_logs,
        }
        found: dict[str, Link] = {}
        for kind, make in makers.items():
            asked = [one for one in self.references if one.kind == kind]
            found |= make(asked) if asked else {}
        return found

    def _address(self, page: str, *args: str, **query: Any) -> str:
        path = reverse(page, args=[self.room.name, *args])
        return f"{path}?{urlencode(query)}" if query else path

    def _to_runs(self, asked: list[Reference]) -> dict[str, Link]:
        return {
            one.written: Link(self._address("run-detail", run.uid), run.display_name)
            for one in asked
            if (run := self.runs.get(one.key))
        }

    def _to_experiments(self, asked: list[Reference]) -> dict[str, Link]:
        names = {one.key for one in asked}
        known = Experiment.objects.of(self.room).filter(name__in=names)
        here = set(known.values_list("name", flat=True))
        return {
            one.written: Link(self._address("experiment-runs", one.key), one.key)
            for one in asked
            if one.key in here
        }

    def _to_views(self, asked: list[Reference]) -> dict[str, Link]:
        """By the uid or the last part of a permalink, as the address bar has it."""
        uids = {one.written: one.key.rpartition("-")[2] for one in asked}
        seen = visible_views(self.room, self.request.actor).filter(uid__in=set(uids.values()))
        views: dict[str, CustomView] = {view.uid: view for view in seen}
        return {
            written: Link(self._address("view", views[uid].address), views[uid].name)
            for written, uid in uids.items()
            if uid in views
        }

    def _to_metrics(self, asked: list[Reference]) -> dict[str, Link]:
        names = {one.inside for one in asked}
        metrics = Metric.objects.filter(run__in=self.runs.values(), name__in=names)
        there = set(metrics.values_list("run_id", "name"))
        return {
            one.written: Link(
                self._address("run-metrics", run.uid, m=one.inside),
                f"{one.inside} of {run.display_name}",
            )
            for one in asked
            if (run := self.runs.get(one.name)) and (run.pk, one.inside) in there
        }

    def _to_logs(self, asked: list[Reference]) -> dict[str, Link]:
        hashes = {hash_of_path(one.inside) for one in asked}
        files = Artifact.objects.filter(run__in=self.runs.values(), path_hash__in=hashes)
        there = set(files.values_list("run_id", "path"))
        return {
            one.written: self._to_log(run, one)
            for one in asked
            if (run := self.runs.get(one.name)) and (run.pk, one.inside) in there
        }

    def _to_log(self, run: Run, asked: Reference) -> Link:
        if asked.lines is None:
            address = self._address("run-logs", run.uid, path=asked.inside)
            return Link(address, f"{asked.inside} of {run.display_name}")
        first, last = asked.lines
        address = self._address("run-logs", run.uid, path=asked.inside, line=first)
        lines = f"line {first}" if first == last else f"lines {first}–{last}"
        picked = f"#L{first}" if first == last else f"#L{first}-L{last}"
        return Link(address + picked, f"{asked.inside}, {lines}, of {run.display_name}")
