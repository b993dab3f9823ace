"""`mlflow-server`: any MLflow tracking server, by its REST protocol."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from studio.importers.mlflow import (
    SOURCE,
    Found,
    WrongValue,
    batched,
    dataset_record,
    model_record,
    record_of,
)
from studio.importers.mlflow_http import API, PROXY, NotThere, Server, proxied, quoted
from studio.importers.records import FileRecord, Points, RunRecord, SourceError, Unreadable
from studio.importers.sources import SourceOptions
from studio.lineage.models import MODELS_FOLDER

RUNS_PER_PAGE, POINTS_PER_PAGE, MODELS_PER_PAGE = 200, 25_000, 50
MAX_DEPTH = 50


class ServerReader:
    """Reads the runs of all experiments of a server, of each the oldest first."""

    source = SOURCE

    def __init__(self, server: Server, options: SourceOptions) -> None:
        self.server, self.options = server, options
        self.label = f"the MLflow server {server.name}"
        self._view = "ALL" if options.deleted else "ACTIVE_ONLY"

    def count(self) -> int | None:
        return None

    def read(self) -> Iterator[RunRecord | Unreadable]:
        asked = self.server.pages(
            f"{API}/experiments/search", "experiments", max_results=1_000, view_type=self._view
        )
        for experiment in asked:
            number = str(experiment.get("experiment_id", ""))
            models = self._models(number)
            runs = self.server.pages(
                f"{API}/runs/search",
                "runs",
                experiment_ids=[number],
                run_view_type=self._view,
                max_results=RUNS_PER_PAGE,
                order_by=["attributes.start_time ASC"],
            )
            for run in runs:
                try:
                    yield self._record(run, str(experiment.get("name", "")), models)
                except (ValueError, LookupError, AttributeError, TypeError) as error:
                    yield Unreadable(f"experiment {number}", f"Not a run: {error}")

    def _record(
        self, run: dict[str, Any], experiment: str, models: Mapping[str, list[dict[str, Any]]]
    ) -> RunRecord:
        info, data = run.get("info") or {}, run.get("data") or {}
        uid, text = str(info.get("run_id", "")), json.dumps(run, sort_keys=True)
        found = Found(
            run_id=uid,
            experiment=experiment,
            status=info.get("status", ""),
            name=str(info.get("run_name") or ""),
            user=str(info.get("user_id") or ""),
            start_ms=info.get("start_time"),
            end_ms=info.get("end_time"),
            tags=_labels(data.get("tags")),
            parameters=_labels(data.get("params")),
            points=partial(
                self._points, uid, [str(one["key"]) for one in data.get("metrics") or ()]
            ),
            version=hashlib.sha256(text.encode(errors="replace")).hexdigest(),
        )
        for used in (run.get("inputs") or {}).get("dataset_inputs") or ():
            labels = _labels(used.get("tags"))
            found.datasets.append(dataset_record(used.get("dataset") or {}, labels))
        places = {"": str(info.get("artifact_uri") or "")}
        for model in models.get(uid, ()):
            facts, more = model.get("info") or {}, model.get("data") or {}
            params, tags = _labels(more.get("params")), _labels(facts.get("tags"))
            try:
                made = model_record(facts, parameters=params, tags=tags)
            except WrongValue as error:
                found.problems.append(str(error))
                continue
            found.models.append(made)
            places[f"{MODELS_FOLDER}{made.uid}/"] = str(facts.get("artifact_uri") or "")
        found.files = partial(self._files, uid, places)
        return record_of(found)

    def _models(self, experiment: str) -> dict[str, list[dict[str, Any]]]:
        """The logged models of an experiment by the run that made them; servers before 3.0 have
        none."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        path = f"{API}/logged-models/search"
        asked = {"experiment_ids": [experiment], "max_results": MODELS_PER_PAGE}
        try:
            for model in self.server.pages(path, "models", **asked):
                found[str((model.get("info") or {}).get("source_run_id", ""))].append(model)
        except NotThere:
            return {}
        return found

    def _points(self, uid: str, names: list[str]) -> Iterator[Points | Unreadable]:
        for name in names:
            token = ""
            while True:
                more = {"page_token": token} if token else {}
                query = {"run_id": uid, "run_uuid": uid, "metric_key": name, **more}
                answer = self.server.get(
                    f"{API}/metrics/get-history", **query, max_results=POINTS_PER_PAGE
                )
                for points in batched(answer.get("metrics") or (), 5_000):
                    yield _piece(name, points)
                before, token = token, str(answer.get("next_page_token") or "")
                if not token or token == before:
                    break

    def _files(self, uid: str, places: dict[str, str]) -> Iterator[FileRecord | Unreadable]:
        for under, address in places.items():
            if root := proxied(address):
                yield from self._at_proxy(root, under)
            elif under:
                yield Unreadable(under, "The server does not hand out its files.")
            else:
                yield from self._of_run(uid)

    def _at_proxy(self, root: str, under: str) -> Iterator[FileRecord | Unreadable]:
        def listed(path: str) -> Any:
            found = self.server.get(PROXY, path=f"{root}/{path}".rstrip("/")).get("files") or ()
            return [(f"{path}/{one['path']}".lstrip("/"), one) for one in found]

        for path, size in _tree(listed):
            # Files of logged models lie beside the runs', and may be listed with them as well.
            opener = partial(self.server.open, f"{PROXY}/{quoted(f'{root}/{path}')}")
            yield FileRecord(under + path, size, opener)

    def _of_run(self, uid: str) -> Iterator[FileRecord | Unreadable]:
        def listed(path: str) -> Any:
            more = {"path": path} if path else {}
            answer = self.server.get(f"{API}/artifacts/list", run_id=uid, run_uuid=uid, **more)
            return [(str(one["path"]), one) for one in answer.get("files") or ()]

        for path, size in _tree(listed):
            opener = partial(self.server.open, "/get-artifact", path=path, run_uuid=uid)
            yield FileRecord(path, size, opener)


def _tree(listed: Any, at: str = "", depth: int = 0) -> Iterator[tuple[str, int | None]]:
    """(path, bytes) of every file; `listed(folder)` gives (path, facts) of what is in it."""
    if depth > MAX_DEPTH:
        raise SourceError("The server's folders never end.")
    for path, facts in listed(at):
        if facts.get("is_dir"):
            yield from _tree(listed, path, depth + 1)
        else:
            size = facts.get("file_size")
            yield path, None if size is None else int(size)


def _labels(pairs: Any) -> dict[str, str]:
    return {str(one["key"]): str(one.get("value", "")) for one in pairs or ()}


def _piece(name: str, points: list[dict[str, Any]]) -> Points:
    """Raises ValueError for what is no point; texts such as "NaN" and "Infinity" are numbers."""
    try:
        return Points(
            name,
            [int(point.get("step", 0)) for point in points],
            [int(point.get("timestamp", 0)) / 1000 for point in points],
            [_number(point.get("value", 0.0)) for point in points],
        )
    except (AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"a point of “{name[:80]}” is none: {error}") from error


def _number(value: Any) -> float:
    number = float(value)
    return number * float("inf") if abs(number) >= 1.7976931348623157e308 else number


@contextmanager
def open_server(source: str, options: SourceOptions) -> Iterator[ServerReader]:
    """Raises SourceError."""
    server = Server(source)
    try:
        yield ServerReader(server, options)
    finally:
        server.close()
