"""Experiments: a name under which runs are grouped."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.sdk import snapshots, sources
from studio.sdk.client import path_of
from studio.sdk.errors import SnapshotException, UserErrorException
from studio.sdk.files import SNAPSHOT_PROPERTY
from studio.sdk.run import Run
from studio.sdk.search import find_runs
from studio.sdk.state import checked_texts
from studio.wire import EXPERIMENT

if TYPE_CHECKING:
    from studio.sdk.script import ScriptRunConfig
    from studio.sdk.workspace import Workspace

log = logging.getLogger("studio.sdk")


class Experiment:
    """An experiment of a workspace, created when it does not exist yet."""

    def __init__(self, workspace: Workspace, name: str, _create: bool = True) -> None:
        if not isinstance(name, str) or not EXPERIMENT.fullmatch(name):
            raise UserErrorException(
                f"{name!r} is not an experiment name: use letters, digits, _ and -, begin with a "
                "letter or digit, at most 255 characters"
            )
        self.workspace, self.name = workspace, name
        self._client = workspace._client
        self._record: dict[str, Any] = {}
        if _create:
            self._record = self._client.post("/experiments", {"name": name})

    @classmethod
    def _known(cls, workspace: Workspace, name: str) -> Experiment:
        return cls(workspace, name, _create=False)

    def start_logging(
        self,
        name: str | None = None,
        run_id: str | None = None,
        outputs: Any = None,
        snapshot_directory: str | os.PathLike[str] | None = ".",
        display_name: str | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> Run:
        """Start an interactive run in this process: Running at once.

        Captures git facts, command line, Python and package versions, and what the process prints.
        `outputs`: None or True stores the files of ./outputs (made when missing) at the end, a
        text those of another folder, False none. `snapshot_directory`: the sources to keep with
        the run, None for none. Unlike in the original a folder that is too large (300 MB; 25 MB
        for the folder a notebook or a prompt happens to be in) is left out with a warning that
        names its biggest paths, and a home folder without one.
        `max_run_duration_seconds`: over it, the studio cancels the run.
        """
        folder = snapshot_directory if snapshot_directory is not None else "."
        properties = sources.git_properties(folder)
        definition = sources.definition(properties)
        if snapshot_directory is not None and (snapshot := self._snapshot(snapshot_directory)):
            properties[SNAPSHOT_PROPERTY] = snapshot
        body = {
            "uid": run_id or uuid.uuid4().hex,
            "experiment": self.name,
            "display_name": display_name or name,
            "description": description,
            "type": "interactive",
            "properties": properties,
            "definition": definition,
            "start": True,
            "max_run_duration_s": kwargs.get("max_run_duration_seconds"),
        }
        record = self._client.post("/runs", {k: v for k, v in body.items() if v is not None})
        run = Run._attached(self._client, record["uid"], record=record)
        run._experiment = self
        if outputs is not False:
            run._track(outputs if isinstance(outputs, str) else "outputs")
        return run._answer_for(tee=True)

    def submit(
        self, config: ScriptRunConfig, tags: dict[str, Any] | None = None, **kwargs: Any
    ) -> Run:
        """Upload the sources and queue the script on its compute target; returns at once.

        `type="pipeline"`: a script that submits the steps of a pipeline as its child runs.
        """
        from studio.sdk.script import submit

        record = submit(self._client, self.name, config, tags=tags, **kwargs)
        run = Run._attached(self._client, record["uid"], record=record)
        run._experiment = self
        return run

    def get_runs(
        self,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        include_children: bool = False,
        *,
        status: Any = None,
        started_after: str | None = None,
        started_before: str | None = None,
        query: str | None = None,
    ) -> Iterator[Run]:
        """Runs, newest first, that match everything given; a generator.

        tags, properties: a name that must exist, or a dict of required values. `status`: one or a
        list. Dates are ISO 8601 or relative ("-7d"). `query`: the search grammar.
        """
        limits = [f"started>={started_after}"] if started_after else []
        limits += [f"started<{started_before}"] if started_before else []
        found = find_runs(
            self._client, tags=tags, properties=properties, status=status,
            query=" ".join([query or "", *limits]).strip() or None,
            include_children=include_children, type=type, experiment=self.name,
        )  # fmt: skip
        return (self._run(record) for record in found)

    def _run(self, record: dict[str, Any]) -> Run:
        run = Run._attached(self._client, record["uid"], record=record)
        run._experiment = self
        return run

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: str = "ActiveOnly",
        tags: Any = None,
    ) -> list[Experiment]:
        """The experiments of a workspace; view_type is ActiveOnly, ArchivedOnly or All."""
        views = {"ActiveOnly": "active", "ArchivedOnly": "archived", "All": "all"}
        if view_type not in views:
            raise UserErrorException(f"view_type must be one of {', '.join(views)}")
        items = workspace._client.items("/experiments", archived=views[view_type], limit=500)
        found = []
        for item in items:
            if experiment_name in (None, item["name"]) and _tagged(item.get("tags") or {}, tags):
                experiment = Experiment._known(workspace, item["name"])
                experiment._record = item
                found.append(experiment)
        return found

    @property
    def id(self) -> str:
        """The experiment's id: its name, which there is once in a workspace."""
        return self.name

    def refresh(self) -> None:
        """Fetch the experiment's record again."""
        self._record = self._client.get(path_of("experiments", self.name))

    @property
    def description(self) -> str:
        """The description (Markdown) as last fetched; assign to replace it."""
        return str(self._details().get("description") or "")

    @description.setter
    def description(self, value: str) -> None:
        self._edit({"description": str(value)})

    def rename(self, name: str) -> None:
        """Give the experiment another name; its runs stay in it."""
        self._edit({"name": name})
        self.name = name

    def _edit(self, change: dict[str, Any]) -> None:
        path = path_of("experiments", self.name)
        self._record = self._client.request("PATCH", path, body=change).json()

    @property
    def archived_time(self) -> str | None:
        """When the experiment was archived (ISO 8601), or None."""
        return self._details().get("archived_at")

    @property
    def tags(self) -> dict[str, Any]:
        """The tags as last fetched."""
        return dict(self._details().get("tags") or {})

    def tag(self, key: str, value: str | None = None) -> None:
        """Set one tag of the experiment, with or without a value."""
        self.set_tags({key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; others stay. Values that are not strings become strings, with a warning."""
        self._change_tags({"set": checked_texts(tags, "set_tags")})

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove tags by key; unknown keys are ignored."""
        self._change_tags({"remove": [tags] if isinstance(tags, str) else [*tags]})

    def _change_tags(self, change: dict[str, Any]) -> None:
        self._record = self._client.post(path_of("experiments", self.name, "tags"), change)

    def archive(self) -> None:
        """Hide the experiment from lists."""
        self._record = self._client.post(path_of("experiments", self.name, "archive"), {})

    def reactivate(self, new_name: str | None = None) -> None:
        """Show an archived experiment again, under another name if one is given."""
        self._record = self._client.post(path_of("experiments", self.name, "reactivate"), {})
        if new_name is not None:
            self.rename(new_name)

    def star(self, starred: bool = True) -> None:
        """Mark the experiment as a favourite of yours, or take the mark off."""
        body = {"starred": bool(starred)}
        self._record = self._client.post(path_of("experiments", self.name, "star"), body)

    def get_portal_url(self) -> str:
        """The address of the experiment's page."""
        return self._client.url + path_of("w", self._client.workspace, "experiments", self.name)

    def _details(self) -> dict[str, Any]:
        if not self._record:
            self.refresh()
        return self._record

    def _snapshot(self, folder: str | os.PathLike[str]) -> str | None:
        try:
            if Path(folder).resolve() in (Path.home(), Path("/")):
                return None  # nobody means to store a home folder
            by_chance = folder == "." and not sources.main_script()
            most_bytes = snapshots.PROMPT_MOST_BYTES if by_chance else snapshots.MOST_BYTES
            limits = snapshots.Limits.default(most_bytes)
            return snapshots.upload(self._client, folder, limits)
        except SnapshotException as error:
            log.warning("studio: no snapshot (snapshot_directory=None says so): %s", error)
            return None

    def _repr_html_(self) -> str:
        """The table a notebook shows; everything is escaped."""
        from studio.sdk.notebook import link, table

        where = link(self.get_portal_url(), "Open in studio")
        return table(["Name", "Workspace", "Details"], [[self.name, self.workspace.name, where]])

    def __repr__(self) -> str:
        return f"Experiment(name={self.name!r}, workspace={self._client.workspace!r})"


def _tagged(found: dict[str, Any], wanted: Any) -> bool:
    if not wanted:
        return True
    if isinstance(wanted, str):
        return wanted in found
    return all(key in found and found[key] == value for key, value in wanted.items())
