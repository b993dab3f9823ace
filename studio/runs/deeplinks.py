"""Resolves `run:<uid>` in a description to a link, within the run's own workspace."""

from collections.abc import Callable

from studio.runs.models import Run


def resolver(run: Run) -> Callable[[str, str], tuple[str, str] | None]:
    """A function (kind, key) -> (address, words of the link), or None when nothing is found."""

    def resolve(kind: str, key: str) -> tuple[str, str] | None:
        if kind != "run":
            return None
        found = Run.objects.of(run.workspace).filter(uid=key).first()
        if found is None:
            return None
        return f"/w/{run.workspace.name}/runs/{found.uid}", found.display_name

    return resolve
