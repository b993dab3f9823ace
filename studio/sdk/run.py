"""Runs: the object a training script talks to."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from studio.sdk import config
from studio.sdk.cancel import Canceler, Hook, hook_interrupts
from studio.sdk.children import Children
from studio.sdk.client import Client
from studio.sdk.console import Tee
from studio.sdk.errors import (
    ConnectionFailedException,
    RunCanceled,
    RunEnvironmentException,
)
from studio.sdk.files import Files
from studio.sdk.labels import Labels
from studio.sdk.metrics import Metrics, read_points
from studio.sdk.monitoring import Monitor
from studio.sdk.outbox import OUTBOX
from studio.sdk.waiting import Waiting
from studio.wire.measures import PREFIX

if TYPE_CHECKING:
    from types import TracebackType

    from studio.sdk.experiment import Experiment
    from studio.sdk.workspace import Workspace

log = logging.getLogger("studio.sdk")

Texts = list[str]  # `list` inside Run is a method of the original
Points = list[tuple[int, float, Any]]

END_FLUSH_S, END_RETRY_S = 60.0, 30.0
MOST_ERROR_TEXT = 20_000


class Run(Metrics, Labels, Files, Children, Waiting):
    """One run of an experiment: `Run(experiment, run_id)`, `exp.start_logging()` or
    `Run.get_context()`.

    Safe for threads. As a context manager it ends the run: Completed at the end and after
    sys.exit(0), Failed after an exception, Canceled after Ctrl-C or a cancel request; exceptions
    go on to the caller.
    """

    def __init__(
        self, experiment: Experiment, run_id: str, outputs: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(experiment.workspace._client, run_id, experiment=experiment)
        self._live_here()
        self._fetch()

    @classmethod
    def get_context(cls, allow_offline: bool = True, **kwargs: Any) -> Run:
        """The submitted run around this process, else an offline run that prints what it would do
        (or, with `allow_offline=False`, RunEnvironmentException). Always the same object."""
        global _context
        if _context is None or _context._pid != os.getpid():
            found: Run | None = _submitted_run()
            if found is None and not allow_offline:
                raise RunEnvironmentException(
                    "This process is not a submitted run: STUDIO_RUN_ID is not set. Submit the "
                    "script with exp.submit(), or allow an offline run."
                )
            if found is None:
                from studio.sdk.offline import OfflineRun

                found = OfflineRun.create()
            _context = found
            return found
        return _context

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """The run with this id in a workspace, whatever its experiment."""
        return workspace.get_run(run_id)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        status: Any = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """The runs of an experiment, newest first; see Experiment.get_runs."""
        return experiment.get_runs(type, tags, properties, include_children, status=status)

    # --- ending ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Mark a run that another actor created as Running."""
        self._record = self._client.post(self._channel.path("start"), {})
        self._answer_for()

    def complete(self, _set_status: bool = True) -> None:
        """Send what is queued and mark the run as Completed. With the studio away the mark is
        kept on disk and sent later."""
        self._upload_outputs()
        self._end("complete", {})

    def fail(self, error_details: Any = None, error_code: str | None = None) -> None:
        """Mark the run as Failed, with a text or an exception as the reason and its code."""
        self._end("fail", _failure(error_details, error_code))

    def cancel(self, reason: str | None = None, *, children: bool = True) -> None:
        """Ask the run, and by default its children, to stop. A run this process answers for ends
        as Canceled at once; a submitted one goes through CancelRequested. A finished run stays as
        it is, and its notice is logged."""
        if self._channel.beats:
            because = {"reason": reason} if reason else {}
            return self._end("canceled", {**because, "children": children})
        body = {"children": children, **({"reason": reason} if reason else {})}
        self._record = self._client.post(self._channel.path("cancel"), body)
        if notice := self._record.get("notice"):
            log.warning("studio: %s", notice)

    def flush(self, timeout_seconds: float = 300) -> bool:
        """Wait until everything logged so far has arrived; False when it has not in time."""
        return OUTBOX.flush(timeout_seconds)

    def on_cancel(self, hook: Hook) -> Hook:
        """Call `hook()` when the run is cancelled, before RunCanceled is raised: save a
        checkpoint there. Usable as a decorator; several hooks run newest first."""
        self._canceler.hooks.append(hook)
        return hook

    def clean(self) -> Texts:
        """Working copies are removed by the studio itself; nothing is left to delete here."""
        return []

    # --- reading metrics -------------------------------------------------------------------------

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: Any = None,
        populate: bool = False,
    ) -> dict[str, Any]:
        """{metric: values}, or {run id: {metric: values}} with `recursive` (self included).

        One shape per kind whatever the count, unlike in the original: numbers, strings and lists
        as a list in order, tables as {column: list}, images as a list of artifact paths,
        documents as a list of dicts. What this process has queued is sent first. Samples of the
        machine (`system/…`) come for their name only.
        """
        self.flush(30)
        if recursive:
            family = [self, *self.get_children(recursive=True)]
            return {run.id: run._metrics(name) for run in family}
        return self._metrics(name)

    def metric_points(self, name: str) -> Points:
        """(step, epoch seconds, value) of every point of one metric, in order."""
        pages = self._points(name)
        return [
            line
            for page in pages
            for line in zip(page["steps"], page["times"], page["values"], strict=True)
        ]

    def _metrics(self, name: str | None) -> dict[str, Any]:
        items = self._client.items(self._channel.path("metrics"), limit=500)
        chosen = [item for item in items if _is_meant(item["name"], name)]
        return {i["name"]: read_points(i["kind"], self._points(i["name"])) for i in chosen}

    def _points(self, name: str) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            query = {"name": name, "cursor": cursor, "limit": 100_000}
            page = self._client.get(self._channel.path("metrics", "points"), **query)
            yield page
            cursor = page.get("next")
            if not cursor:
                return

    # --- context manager -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run by how the block ended; the exception goes on."""
        if self._pid != os.getpid() or self._ended():
            return
        try:
            self._end_by(error)
        except Exception:
            if error is None:
                raise
            log.exception("studio: the end of run %s could not be recorded", self._uid)

    def _end_by(self, error: BaseException | None) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code in (0, None)):
            self.complete()
        elif isinstance(error, RunCanceled):
            self._end("canceled", {"reason": error.reason} if error.reason else {})
        elif isinstance(error, KeyboardInterrupt):
            self._end("canceled", {"reason": "interrupted from the keyboard", "children": True})
        else:
            self.fail(error)

    def _end_canceled(self, error: RunCanceled) -> None:
        """Nothing runs that could be interrupted: end the run, and say so."""
        log.warning("studio: %s (run %s)", error, self._uid)
        self._end("canceled", {"reason": error.reason} if error.reason else {})

    def _end(self, how: str, body: dict[str, Any]) -> None:
        self._canceler.close()
        if self._tee is not None:
            self._tee.stop()
        path = self._channel.path(how)
        arrived = self.flush(END_FLUSH_S)
        try:
            if not arrived:
                raise ConnectionFailedException("queued records have not arrived yet")
            self._record = self._client.post(path, body, retry_total_s=END_RETRY_S)
        except ConnectionFailedException as error:
            self._change_later(path, body)
            self._record = {**self._record, "status": _ENDS[how]}
            log.warning("studio: %s; the end of run %s will be sent later", error, self._uid)
        OUTBOX.forget(self._channel)
        _live.pop(self, None)

    def _upload_outputs(self) -> None:
        """The files of ./outputs, for a run that tracks them."""
        if self._outputs and os.path.isdir(self._outputs):
            try:
                self.upload_folder("outputs", self._outputs)
            except Exception:
                log.exception("studio: the outputs of run %s could not all be stored", self._uid)

    # --- making ----------------------------------------------------------------------------------

    @classmethod
    def _attached(cls, client: Client, uid: str, *, record: dict[str, Any] | None = None) -> Self:
        run = Run.__new__(Run)
        super(Run, run).__init__(client, uid, record=record)
        run._live_here()
        return run  # type: ignore[return-value]

    def _live_here(self) -> None:
        self._canceler = Canceler.__new__(Canceler)
        self._canceler.hooks, self._canceler.closed = [], False
        self._tee: Tee | None = None
        self._outputs: str | None = None

    def _answer_for(self, *, tee: bool = False) -> Self:
        """From now on this process says that the run is alive, and hears of its cancellation."""
        hooks = self._canceler.hooks
        self._canceler = Canceler()
        self._canceler.hooks = hooks
        self._canceler.end = self._end_canceled
        self._channel.on_cancel = self._canceler.notify
        _live[self] = None
        _watch_for_crash()
        OUTBOX.watch(self._channel)
        if tee:
            self._channel.monitor = Monitor.wanted()
            self._tee = Tee(self._channel)
            self._tee.start()
        return self

    def _started(self, record: dict[str, Any]) -> Self:
        run = type(self)._attached(self._client, record["uid"], record=record)
        run._experiment = self._experiment
        return run._answer_for()

    def _make_experiment(self, name: str) -> Experiment:
        from studio.sdk.experiment import Experiment
        from studio.sdk.workspace import Workspace

        return Experiment._known(Workspace._of(self._client), name)


class SubmittedRun(Run):
    """The run around this script: its status belongs to the worker that started it.

    `complete()` and the end of a `with` block only flush; the exit code decides. `fail()` marks
    the run as Failed. A cancel arrives as SIGINT; with an `on_cancel` hook as RunCanceled.
    """

    def complete(self, _set_status: bool = True) -> None:
        """Send what is queued; the run completes when the script ends."""
        self.flush(END_FLUSH_S)

    def cancel(self, reason: str | None = None, *, children: bool = True) -> None:
        """Ask the studio to cancel this very run: the script is interrupted soon after."""
        super().cancel(reason, children=children)

    def on_cancel(self, hook: Hook) -> Hook:
        """Call `hook()` when the worker interrupts the script, then raise RunCanceled."""
        if not self._canceler.hooks:
            self._canceler = Canceler()
            hook_interrupts(self._canceler)
        return super().on_cancel(hook)

    def _end_by(self, error: BaseException | None) -> None:
        self.flush(END_FLUSH_S)


def _is_meant(found: str, asked: str | None) -> bool:
    return not found.startswith(PREFIX) if asked is None else found == asked


_ENDS = {"complete": "Completed", "fail": "Failed", "canceled": "Canceled"}
_context: Run | None = None
_live: dict[Run, None] = {}
_watching = False


def _submitted_run() -> SubmittedRun | None:
    uid, found = os.environ.get("STUDIO_RUN_ID"), config.from_environment()
    if not uid or found is None:
        return None
    run = SubmittedRun.__new__(SubmittedRun)
    client = Client(found.url, found.workspace, found.token)
    super(Run, run).__init__(client, uid)
    run._live_here()
    return run


def _failure(details: Any, code: str | None) -> dict[str, Any]:
    if details is None and code is None:
        return {}
    error: dict[str, Any] = {"code": code or "UserError"}
    if isinstance(details, BaseException):
        text = f"User program failed with {type(details).__name__}: {details}"
        lines = traceback.format_exception(details)
        error["traceback"] = "".join(lines)[-MOST_ERROR_TEXT:]
    elif details is None or isinstance(details, str):
        text = details or ""
    else:
        raise TypeError(f"fail takes a text or an exception, not {type(details).__name__}")
    from studio.sdk.values import clean_text

    error["message"] = clean_text(text)
    if "traceback" in error:
        error["traceback"] = clean_text(error["traceback"])
    return {"error": error}


def _watch_for_crash() -> None:
    """An uncaught exception ends the runs of this process that no `with` block ended."""
    global _watching
    if _watching:
        return
    _watching, before = True, sys.excepthook

    def on_crash(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        before(kind, error, trace)
        for run in list(_live):
            if run._pid == os.getpid():
                run.__exit__(kind, error, trace)

    sys.excepthook = on_crash
    atexit.register(_tell_left_running)  # runs before the outbox closes


def _tell_left_running() -> None:
    for run in _live:
        if run._pid == os.getpid() and run.parent is None:
            text = "run %s was not ended: call run.complete(), or use `with exp.start_logging()`"
            log.warning("studio: " + text, run.id)
