"""Runs: the object a training script talks to."""

from __future__ import annotations

import atexit
import contextlib
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
    UserErrorException,
)
from studio.sdk.files import Files
from studio.sdk.labels import Labels
from studio.sdk.metrics import Metrics
from studio.sdk.monitoring import Monitor
from studio.sdk.outbox import OUTBOX
from studio.sdk.reading import Reading
from studio.sdk.search import find_runs, quoted
from studio.sdk.waiting import Waiting

if TYPE_CHECKING:
    from types import TracebackType

    from studio.sdk.experiment import Experiment
    from studio.sdk.workspace import ComputeTarget, Workspace

log = logging.getLogger("studio.sdk")

Texts = list[str]  # `list` inside Run is a method of the original

END_FLUSH_S, END_RETRY_S = 60.0, 30.0
MOST_ERROR_TEXT = 20_000


class Run(Metrics, Reading, Labels, Files, Children, Waiting):
    """One run of an experiment: `Run(experiment, run_id)`, `exp.start_logging()` or
    `Run.get_context()`.

    Safe for threads. As a context manager it ends the run: Completed at the end and after
    sys.exit(0), Failed after an exception, Canceled after Ctrl-C or a cancel request; exceptions
    go on to the caller.
    """

    _outputs: str | None = None  # the folder whose files are stored at the end
    _made_outputs = False

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

    @staticmethod
    def list_by_compute(
        compute: ComputeTarget,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        status: Any = None,
    ) -> Iterator[Run]:
        """Runs of a compute target of `workspace.compute_targets`, child runs too, newest first;
        unlike in the original as Run objects, and of any status."""
        if compute.workspace is None:
            raise UserErrorException("list_by_compute takes a target of workspace.compute_targets")
        client = compute.workspace._client
        found = find_runs(
            client, tags=tags, properties=properties, status=status, type=type,
            query=f"target:{quoted(compute.name)}", include_children=True,
        )  # fmt: skip
        return (Run._attached(client, record["uid"], record=record) for record in found)

    @classmethod
    def get_submitted_run(cls, **kwargs: Any) -> Run:
        """The submitted run around this process; RunEnvironmentException where there is none."""
        return cls.get_context(allow_offline=False)

    # --- ending ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Mark a run that another actor created as Running."""
        self._record = self._client.post(self._channel.path("start"), {})
        self._answer_for()

    def complete(self, _set_status: bool = True) -> None:
        """Send what is queued and mark the run as Completed. With the studio away the mark is
        kept on disk and sent later."""
        if _set_status:
            return self._end("complete", {})
        self._upload_outputs()
        self.flush(END_FLUSH_S)

    def fail(
        self, error_details: Any = None, error_code: str | None = None, _set_status: bool = True
    ) -> None:
        """Mark the run as Failed, with a text or an exception as the reason and its code."""
        body = _failure(error_details, error_code)
        if _set_status:
            return self._end("fail", body)
        self._upload_outputs()
        self.flush(END_FLUSH_S)

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

    def notify_when_ends(self, on: bool = True) -> None:
        """One mail to this token's person when the run ends, or none; not by a run's own token."""
        self._client.post(self._channel.path("notify"), {"on": on})

    def on_cancel(self, hook: Hook) -> Hook:
        """Call `hook()` when the run is cancelled, before RunCanceled is raised: save a
        checkpoint there. Usable as a decorator; several hooks run newest first."""
        self._canceler.hooks.append(hook)
        return hook

    def clean(self) -> Texts:
        """Working copies are removed by the studio itself; nothing is left to delete here."""
        return []

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
        self._upload_outputs()
        path = self._channel.path(how)
        arrived = not self._waits() if self._channel.is_late else self.flush(END_FLUSH_S)
        try:
            if not arrived:
                raise ConnectionFailedException("queued records have not arrived yet")
            self._record = self._client.post(path, body, retry_total_s=END_RETRY_S)
        except ConnectionFailedException as error:
            self._keep_change(path, body)
            self._record = {**self._record, "status": _ENDS[how]}
            log.warning("studio: %s; the end of run %s will be sent later", error, self._uid)
        OUTBOX.forget(self._channel)
        _live.pop(self, None)

    def _track(self, outputs: str) -> None:
        """Upload the files of the folder at the end; it is made when it is not there."""
        self._outputs = outputs
        self._made_outputs = False
        try:
            os.mkdir(outputs)
            self._made_outputs = True
        except OSError:
            return  # it is there, or this is no place for one

    def _upload_outputs(self) -> None:
        """The files of ./outputs, for a run that tracks them; an empty folder made for it goes."""
        folder, self._outputs = self._outputs, None
        if not folder or not os.path.isdir(folder):
            return
        try:
            self.upload_folder("outputs", folder)
        except Exception:
            log.exception("studio: the outputs of run %s could not all be stored", self._uid)
        if self._made_outputs:
            with contextlib.suppress(OSError):
                os.rmdir(folder)

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

    def _started(self, record: dict[str, Any], outputs: Any = None) -> Self:
        run = type(self)._attached(self._client, record["uid"], record=record)
        run._experiment, run._channel.is_late = self._experiment, self._channel.is_late
        if outputs not in (None, False):
            run._track(outputs if isinstance(outputs, str) else "outputs")
        return run._answer_for()

    def _make_experiment(self, name: str) -> Experiment:
        from studio.sdk.experiment import Experiment
        from studio.sdk.workspace import Workspace

        return Experiment._known(Workspace._of(self._client), name)


def get_run(
    experiment: Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True
) -> Run:
    """The run of an experiment with this id; NotFoundException when there is none."""
    return Run(experiment, run_id)


class SubmittedRun(Run):
    """The run around this script: its status belongs to the worker that started it.

    `complete()` and the end of a `with` block only flush; the exit code decides. What `fail()`
    says of an error is kept whatever the exit code. A cancel arrives as SIGINT; with an
    `on_cancel` hook as RunCanceled.
    """

    def __reduce__(self) -> Any:
        """In another process of the script its own context."""
        return Run.get_context, (False,)

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
