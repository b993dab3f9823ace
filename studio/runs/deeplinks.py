"""Resolves `run:<uid>` and `experiment:<name>` in a description to a link, within the workspace of
what is described."""

from collections.abc import Callable

from studio.runs.models import Experiment, Run


def resolver(described: Run | Experiment) -> Callable[[str, str], tuple[str, str] | None]:
    """A function (kind, key) -> (address, words of the link), or None when nothing is found."""

    workspace = described.workspace

    def resolve(kind: str, key: str) -> tuple[str, str] | None:
        if kind == "run" and (run := Run.objects.of(workspace).filter(uid=key).first()):
            return f"/w/{workspace.name}/runs/{run.uid}", run.display_name
        if kind == "experiment" and Experiment.objects.of(workspace).filter(name=key).exists():
            return f"/w/{workspace.name}/experiments/{key}", key
        return None

    return resolve
