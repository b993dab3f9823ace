"""Child runs: create one or many, submit, list."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from studio.sdk.errors import UserErrorException
from studio.sdk.state import RunState, checked_texts
from studio.wire import MAX_CHILDREN

if TYPE_CHECKING:
    from studio.sdk.script import ScriptRunConfig

NUMBER_TAG = "azureml.batch_child_number"


class Children(RunState):
    """The family half of a run."""

    def child_run(
        self,
        name: str | None = None,
        run_id: str | None = None,
        outputs: Any = None,
        *,
        depends_on: Iterable[RunState | str] = (),
    ) -> Self:
        """Create and start one child; as a context manager it completes on exit.

        outputs: a folder (True: ./outputs) whose files are stored when the child ends.
        depends_on: other children of this run, or their ids, for the graph of a pipeline. With the
        studio away the child is made there later, before what is logged to it.
        """
        body = {
            "uid": run_id or uuid.uuid4().hex,
            "experiment": self.experiment.name,
            "parent": self._uid,
            "display_name": name,
            "type": self._type_of_children("interactive"),
            "start": True,
            "depends_on": _ids_of(depends_on),
        }
        body = {k: v for k, v in body.items() if v is not None}
        record = self._sent_or_kept("POST", "/runs", json.dumps(body).encode(), "a child")
        return self._started(record or self._stand_in(body), outputs)

    def create_children(
        self,
        count: int | None = None,
        tag_key: str | None = None,
        tag_values: list[Any] | None = None,
    ) -> list[Self]:
        """Create and start up to 1,000 children in one call; each must be completed.

        Give either `count`, or `tag_key` with one value per child in `tag_values`. With the studio
        away they are made there later, before what is logged to them.
        """
        tags = _child_tags(count, tag_key, tag_values)
        children = [{"uid": uuid.uuid4().hex, "tags": tag} for tag in tags]
        body = {"children": children, "start": True}
        path, data = self._channel.path("children"), json.dumps(body).encode()
        answer = self._sent_or_kept("POST", path, data, f"{len(children)} children")
        records = answer["items"] if answer else map(self._stand_in, children)
        return [self._started(record) for record in records]

    def submit_child(
        self,
        config: ScriptRunConfig,
        tags: dict[str, Any] | None = None,
        *,
        display_name: str | None = None,
        depends_on: Iterable[RunState | str] = (),
        **kwargs: Any,
    ) -> Self:
        """Submit a script as a child of this run; returns at once.

        depends_on: children of this run, or their ids. The script starts when all of them are
        Completed; when one ends otherwise it never starts and is Canceled.
        """
        from studio.sdk.script import submit

        record = submit(
            self._client, self.experiment.name, config, tags=tags, parent=self._uid,
            type=self._type_of_children("script"), display_name=display_name,
            depends_on=_ids_of(depends_on),
        )  # fmt: skip
        return self._sibling(record["uid"], record)

    def _type_of_children(self, otherwise: str) -> str:
        """The children of a pipeline are its steps."""
        return "step" if self._known().get("type") == "pipeline" else otherwise

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: str | None = None,
        status: Any = None,
        _rehydrate_runs: bool = True,
        *,
        query: str | None = None,
    ) -> Iterator[Self]:
        """Children, newest first, or with `recursive` all descendants, never the run itself.

        tags, properties: a name that must exist, or a dict of required values; status: one or a
        list. A generator: pages of 500 are asked for as they are needed.
        """
        from studio.sdk.search import find_runs

        family = {"ancestor": self._uid} if recursive else {"parent": self._uid}
        found = find_runs(
            self._client, tags=tags, properties=properties, status=status, query=query,
            include_children=True, type=type, **family,
        )  # fmt: skip
        return (self._sibling(record["uid"], record) for record in found)

    def _stand_in(self, body: dict[str, Any]) -> dict[str, Any]:
        """What is known of a started child that the studio will hear of later."""
        known = {"status": "Running", "type": "interactive", "tags": {}, "properties": {}}
        family = {"experiment": self.experiment.name, "parent": self._uid}
        return {**known, **family, **body}

    def _started(self, record: dict[str, Any], outputs: Any = None) -> Self:
        """A child this process has started and answers for."""
        raise NotImplementedError


def _ids_of(runs: Iterable[RunState | str]) -> list[str] | None:
    """Ids of runs; None for no runs. A text is one id, not many letters."""
    given = [runs] if isinstance(runs, str | RunState) else list(runs)
    return [run if isinstance(run, str) else run.id for run in given] or None


def _child_tags(count: Any, key: Any, tag_values: Any) -> list[dict[str, Any]]:
    if count is None and key is None and tag_values is None:
        raise UserErrorException("create_children needs count, or tag_key and tag_values")
    if count is not None and (key is not None or tag_values is not None):
        raise UserErrorException("create_children takes count or tag_key and tag_values, not both")
    if count is None and (key is None or tag_values is None):
        raise UserErrorException("create_children needs tag_key and tag_values together")
    if count is not None and (type(count) is not int or count < 0):
        raise UserErrorException(f"create_children: count must be a whole number, not {count!r}")
    wanted = [str(i) for i in range(count)] if count is not None else list(tag_values)
    if len(wanted) > MAX_CHILDREN:
        limit = f"at most {MAX_CHILDREN:,} children a call"
        raise UserErrorException(f"create_children makes {limit}, not {len(wanted):,}")
    name = NUMBER_TAG if count is not None else key
    return [checked_texts({name: value}, "create_children") for value in wanted]
