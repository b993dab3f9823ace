"""What the editor of a description and its versions share, be it of a run or of an experiment."""

from dataclasses import dataclass
from typing import Any, Self

from django.urls import reverse

from studio.artifacts.attachments import MAX_IMAGE_BYTES
from studio.runs.limits import MAX_DESCRIPTION_BYTES
from studio.runs.markdown import render_markdown
from studio.runs.models import Experiment, ExperimentDescription, Run
from studio.web.access import Request
from studio.web.deep_links import linked
from studio.web.typed import number_in

TOO_LONG = f"Longer than {MAX_DESCRIPTION_BYTES:,} bytes"


@dataclass(frozen=True, slots=True)
class Links:
    """Where a description is shown, saved, tried out, and what of its versions is where; where its
    images go, and what offers links."""

    page: str
    save: str
    preview: str
    versions: str
    restore: str
    images: str
    suggest: str

    @classmethod
    def of(cls, described: Run | Experiment, workspace: str) -> Self:
        if isinstance(described, Run):
            kind, page, key = "run", "run-detail", described.uid
        else:
            kind, page, key = "experiment", "experiment-runs", described.name
        ends = ("", "-preview", "-versions", "-restore", "-images")
        names = [page, *(f"{kind}-description{end}" for end in ends)]
        own = [reverse(name, args=[workspace, key]) for name in names]
        own.append(reverse("description-suggest", args=[workspace]))
        return cls(*own)


def read_from(request: Request) -> int | None:
    """The version the text was written upon; a form without one overwrites what there is."""
    return number_in(request.POST.get("version", ""))


def preview_of(request: Request, text: str) -> dict[str, Any]:
    """`text` as `runs/_preview.html` shows it (queries: those of `linked`)."""
    too_long = len(text.encode(errors="replace")) > MAX_DESCRIPTION_BYTES
    html = "" if too_long else render_markdown(text)
    return {
        "preview": linked(request, ExperimentDescription(html=html)),
        "preview_error": TOO_LONG if too_long else "",
        "max_image_bytes": MAX_IMAGE_BYTES,
    }
