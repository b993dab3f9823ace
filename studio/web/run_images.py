"""The tab Images of a run: names to tick, and their pictures at one step, side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import QuerySet, Sum
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse

from studio.artifacts import viewing
from studio.artifacts.actions import size_of
from studio.artifacts.models import Artifact, hash_of_path
from studio.metrics.models import Kind, Metric
from studio.metrics.packing import Points
from studio.metrics.series import points_of_each
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.image_state import MAX_SHOWN, ImageState, whole_of
from studio.web.moments import Moment, moment_of, step_at
from studio.web.render import render_page, render_parts
from studio.web.run_detail import run_context

MAX_NAMES_LISTED = 200
N_FIRST = 6
# A name may have logged many images at one step.
MAX_AT_STEP = 4


@dataclass(frozen=True, slots=True)
class Series:
    """The images of one name of one run, by step."""

    run: Run
    name: str
    points: Points

    def at(self, step: int) -> tuple[int, list[str]] | None:
        """The newest step up to `step`, and the paths of its images; None before the first one."""
        stop = int(np.searchsorted(self.points.steps, step, "right"))
        if not stop:
            return None
        own = int(self.points.steps[stop - 1])
        start = int(np.searchsorted(self.points.steps, own, "left"))
        return own, [path_of(value) for value in self.points.values[start:stop]]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image; `problem` says in words why there is none to see."""

    path: str
    url: str
    alt: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A name of a run at the chosen step; `step` None: nothing was logged so early."""

    name: str
    run: Run
    step: int | None
    is_earlier: bool
    pictures: Sequence[Picture]
    n_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in the list."""

    name: str
    n_images: int
    is_ticked: bool


def path_of(value: Any) -> str:
    return str(value.get("path", "")) if isinstance(value, dict) else ""


def images_of(run: Run) -> QuerySet[Metric]:
    return Metric.objects.filter(run=run, kind=Kind.IMAGE).order_by("name")


@page
def images(request: Request, uid: str) -> HttpResponseBase:
    """The pictures of the ticked names at one step. `at`: the place of the step among all of them,
    as a slider gives it. `v`: the version the page has; 204 while there is nothing new."""
    run = find_run(request, uid)
    version = version_of(run)
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    asked = ImageState.of(request.GET)
    shown = shown_context(request, run, asked)
    base = reverse("run-images", args=[request.workspace.name, run.uid])
    context = {
        "run": run,
        "workspace": request.workspace,
        "base": base,
        "version": version,
        **shown,
    }
    if request.htmx and request.htmx.target == "runs-images-shown":
        answer = render_parts(request, ["runs/_images_shown.html"], context)
    else:
        context |= run_context(request, run, tab="images") | names_context(run, shown["state"])
        answer = render_page(request, "runs/images.html", context, part="runs/_images.html")
    if request.htmx and "v" not in request.GET:
        is_step = request.htmx.trigger_name not in {"find", "at"}
        header = "HX-Push-Url" if is_step else "HX-Replace-Url"
        answer[header] = base + shown["address"].query()
    return answer


def version_of(run: Run) -> str:
    """Changes with every image, and with the end of the run (1 query)."""
    totals = images_of(run).aggregate(n=Sum("n_points"))
    return f"{totals['n'] or 0}-{'over' if run.is_terminal else 'live'}"


def names_context(run: Run, state: ImageState) -> dict[str, Any]:
    """The list of names: ticked ones that the search left out come first (at most 3 queries)."""
    matching = images_of(run)
    if state.find:
        matching = matching.filter(name__icontains=state.find)
    found = list(matching[:MAX_NAMES_LISTED])
    n_found = len(found) if len(found) < MAX_NAMES_LISTED else matching.count()
    missing = set(state.names) - {metric.name for metric in found}
    kept = list(images_of(run).filter(name__in=missing)) if missing else []
    return {
        "entries": [Entry(m.name, m.n_points, m.name in state.names) for m in (*kept, *found)],
        "n_found": n_found,
        "n_unlisted": max(0, n_found - MAX_NAMES_LISTED),
    }


def shown_context(request: Request, run: Run, asked: ImageState) -> dict[str, Any]:
    """The cards and the steps around them (at most 5 queries)."""
    names = asked.names[:MAX_SHOWN]
    chosen = images_of(run).filter(name__in=names) if names else images_of(run)[:N_FIRST]
    state = ImageState(tuple(m.name for m in chosen), asked.find, asked.step, asked.other)
    other = other_run(request, run, asked)
    series = series_of([run, other] if other else [run], state.names)
    steps = steps_of(series)
    said = ""
    if asked.step is None and "at" not in request.GET:
        asked, said = asked_by_moment(moment_of(request, run), asked, series, run)
    place = place_of(request, steps, asked.step)
    is_newest = asked.step is None and "at" not in request.GET
    step = steps[place] if steps else None
    state = state.at(None if is_newest else step)
    # The first names need no naming in the address.
    address = ImageState(state.names if asked.names else (), state.find, state.step, state.other)
    return {
        "state": state,
        "address": address,
        "other": other,
        "step": step,
        "is_newest": is_newest,
        "place": place,
        "n_steps": len(steps),
        "earlier": address.at(steps[place - 1]) if place > 0 else None,
        "later": address.at(steps[place + 1]) if place + 1 < len(steps) else None,
        "cards": cards_of(request, series, step) if step is not None else [],
        "n_dropped": len(asked.names) - len(names),
        "n_names": images_of(run).count(),
        "moment_words": said,
    }


def asked_by_moment(
    moment: Moment, asked: ImageState, series: Sequence[Series], run: Run
) -> tuple[ImageState, str]:
    """The step of the run's last image by the moment of the address, if there is one; what is said
    of it."""
    own = [one.points for one in series if one.run.pk == run.pk]
    if moment.at is None or not own:
        return asked, ""
    steps = np.concatenate([points.steps for points in own])
    found = step_at(moment.at, steps, np.concatenate([points.times for points in own]))
    if found is None:
        return asked.at(int(steps.min())), "No image was logged by then: this is the first"
    return asked.at(found), "the last by then"


def other_run(request: Request, run: Run, asked: ImageState) -> Run | None:
    """The run to compare with, of the same workspace (1 query)."""
    if not asked.other:
        return None
    return Run.objects.of(request.workspace).exclude(pk=run.pk).filter(uid=asked.other).first()


def series_of(runs: Sequence[Run], names: Sequence[str]) -> list[Series]:
    """Name by name, the runs in their order (2 queries)."""
    by_id = {run.pk: run for run in runs}
    rows = Metric.objects.filter(run__in=by_id, name__in=names, kind=Kind.IMAGE)
    metrics = {metric.pk: metric for metric in rows}
    found = [
        Series(by_id[metrics[pk].run_id], metrics[pk].name, points)
        for pk, points in points_of_each(metrics)
    ]
    order = list(by_id)
    return sorted(found, key=lambda one: (one.name, order.index(one.run.pk)))


def steps_of(series: Sequence[Series]) -> list[int]:
    """All steps of all of them, ascending, each once."""
    if not series:
        return []
    found: list[int] = np.unique(np.concatenate([one.points.steps for one in series])).tolist()
    return found


def place_of(request: Request, steps: Sequence[int], step: int | None) -> int:
    """Which of the steps is shown: the one the slider says, else the one asked for or the nearest
    before it, else the newest."""
    last = max(0, len(steps) - 1)
    at = whole_of(request.GET.get("at", ""))
    if at is not None:
        return min(max(at, 0), last)
    return last if step is None else max(0, int(np.searchsorted(steps, step, "right")) - 1)


def cards_of(request: Request, series: Sequence[Series], step: int) -> list[Card]:
    """A card for each name of each run (1 query)."""
    found = [(one, one.at(step)) for one in series]
    shown = {(one.run.pk, path) for one, at in found if at for path in at[1][-MAX_AT_STEP:]}
    files = files_of(shown)
    cards = []
    for one, at in found:
        own, paths = at or (None, [])
        pictures = [
            picture_of(request, one, own, path, files.get((one.run.pk, path)))
            for path in paths[-MAX_AT_STEP:]
        ]
        is_earlier = own is not None and own < step
        n_left_out = len(paths) - len(pictures)
        cards.append(Card(one.name, one.run, own, is_earlier, pictures, n_left_out))
    return cards


def files_of(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Artifact]:
    """(run id, path) -> the file, of those there are (1 query)."""
    pairs = list(wanted)
    rows = Artifact.objects.filter(
        run__in={run for run, _ in pairs}, path_hash__in={hash_of_path(path) for _, path in pairs}
    )
    return {(row.run_id, row.path): row for row in rows}


def picture_of(
    request: Request, series: Series, step: int | None, path: str, file: Artifact | None
) -> Picture:
    alt = f"{series.name}, step {step}, {series.run.display_name}"
    if file is None:
        return Picture(path, "", alt, f"There is no file {path}: deleted, or not here yet.")
    address = [request.workspace.name, series.run.uid, path]
    if not viewing.image_type(file):
        is_lost = not size_of(file)
        said = "is empty or lost" if is_lost else "is no PNG, JPEG, GIF or WebP"
        return Picture(path, reverse("run-file", args=address), alt, f"{path} {said}.")
    return Picture(path, reverse("run-image", args=address), alt)
