"""Workspaces: the way in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.sdk import config
from studio.sdk.alert_rules import AlertRules
from studio.sdk.client import Client
from studio.sdk.errors import UserErrorException, WorkspaceException
from studio.sdk.search import Runs

if TYPE_CHECKING:
    from studio.sdk.experiment import Experiment
    from studio.sdk.run import Run


@dataclass(frozen=True)
class ComputeTarget:
    """Where submitted runs execute. `shared`: by all workspaces; `n_workers`: that live, with the
    `n_draining` that take no more runs; `max_runs`: at a time, None for as many as they can."""

    name: str
    description: str = ""
    enabled: bool = True
    n_workers: int = 0
    grace_s: float | None = None
    shared: bool = True
    n_draining: int = 0
    lost_after_s: float | None = None
    max_runs: int | None = None
    max_attempts: int | None = None
    workspace: Workspace | None = field(default=None, repr=False, compare=False)


class Workspace:
    """One workspace of one studio.

    `workspace_name` is the original's word for the name; its subscription_id, resource_group and
    auth mean nothing here and are taken without effect.
    """

    def __init__(
        self,
        name: str = config.DEFAULT_WORKSPACE,
        url: str | None = None,
        token: str | None = None,
        *,
        workspace_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        _without_effect(kwargs)
        name, found = workspace_name or name, config.from_environment()
        url = url or (found.url if found else "")
        if not url:
            raise UserErrorException("Workspace needs the studio's url (or STUDIO_URL)")
        self._client = Client(url, name, config.token_for(url) if token is None else token)
        self._attached_experiment: str | None = None

    @classmethod
    def from_config(
        cls, path: Any = None, auth: Any = None, _file_name: str | None = None, **kwargs: Any
    ) -> Workspace:
        """The workspace of `.studio/config.json` (or .azureml/) in `path` or a folder above it,
        else of STUDIO_URL, STUDIO_WORKSPACE and STUDIO_TOKEN. No request is made."""
        found = config.find(path, _file_name)
        if not found.token and (why := config.why_no_token(found.url)):
            raise WorkspaceException(f"There is no token for {found.url}.{why}")
        workspace = cls(found.workspace, url=found.url, token=found.token)
        workspace._attached_experiment = found.experiment
        return workspace

    @classmethod
    def get(
        cls, name: str, *, url: str | None = None, token: str | None = None, **kwargs: Any
    ) -> Workspace:
        """The workspace, checked: raises NotFoundException or AuthenticationException."""
        workspace = cls(name, url=url, token=token, **kwargs)
        workspace._client.get("")
        return workspace

    @classmethod
    def _of(cls, client: Client) -> Workspace:
        workspace = cls.__new__(cls)
        workspace._client, workspace._attached_experiment = client, None
        return workspace

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self._client.workspace

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The active experiments by name."""
        from studio.sdk.experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    @property
    def runs(self) -> Runs:
        """Every run of the workspace: `ws.runs.search("metric.loss<0.3 -status:failed")`."""
        return Runs(self._client)

    @property
    def alert_rules(self) -> AlertRules:
        """What people are told of runs: `ws.alert_rules.create("Broken", statuses=["Failed"])`."""
        return AlertRules(self._client)

    @property
    def compute_targets(self) -> dict[str, ComputeTarget]:
        """The compute targets by name."""
        known = ComputeTarget.__dataclass_fields__
        targets = {}
        for item in self._client.items("/targets"):
            facts = {key: item[key] for key in known if key in item}
            targets[item["name"]] = ComputeTarget(**facts, workspace=self)
        return targets

    def get_run(self, run_id: str) -> Run:
        """The run with this id; NotFoundException when there is none."""
        return self.runs.get(run_id)

    def get_details(self) -> dict[str, Any]:
        """{name, description, role, url} of the workspace; `url` is that of its pages."""
        return {**self._client.get(""), "url": self.get_portal_url()}

    def get_mlflow_tracking_uri(self) -> str:
        """The address for MLflow clients."""
        return self._client.url

    def get_portal_url(self) -> str:
        """The address of the workspace's pages."""
        return f"{self._client.url}/w/{self.name}"

    def write_config(self, path: Any = None, file_name: str | None = None) -> None:
        """Write `.studio/config.json` (mode 0600, it holds the token) below `path`."""
        client = self._client
        content = config.Config(client.url, client.workspace, client.token)
        config.write(Path(path or "."), content, file_name or "config.json")

    def _repr_html_(self) -> str:
        """The table a notebook shows; everything is escaped."""
        from studio.sdk.notebook import link, table

        where = link(self.get_portal_url(), "Open in studio")
        return table(["Workspace", "Studio", "Details"], [[self.name, self._client.url, where]])

    def __repr__(self) -> str:
        return f"Workspace(name={self.name!r}, url={self._client.url!r})"


def _without_effect(given: dict[str, Any]) -> None:
    """TypeError for what neither the original nor we know."""
    for name in given:
        if name not in ("subscription_id", "resource_group", "auth", "location", "sku"):
            raise TypeError(f"Workspace has no argument {name!r}")
