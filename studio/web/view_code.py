"""Views as a YAML file: downloaded, and taken in after a look at what would happen."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.custom_views.as_code import ViewReport, export_views, import_views
from studio.custom_views.finding import visible_views
from studio.custom_views.plain_yaml import MAX_BYTES
from studio.custom_views.rights import READER
from studio.runs.limits import Invalid
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.typed import typed_text


@page
def export(request: Request) -> HttpResponse:
    """The views in the parameters `view` (uids), all that the person sees without one."""
    views = visible_views(request.workspace, request.actor)
    if uids := request.GET.getlist("view"):
        views = views.filter(uid__in=[uid[:40] for uid in uids[:1_000] if "\0" not in uid])
    try:
        text = export_views(request.workspace, views, by=request.actor)
    except Invalid as wrong:
        return HttpResponse(f"{wrong}\n", status=422, content_type="text/plain; charset=utf-8")
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    name = f"views-{request.workspace.name}.yaml"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@page
def import_form(request: Request) -> HttpResponse:
    return _form(request, "")


@action
def take(request: Request) -> HttpResponse:
    """`text`, or the file `file`; `share`: 1 also who sees them. First a look at what would happen;
    with `really` it happens."""
    form = request.POST
    text = typed_text(request)
    if upload := request.FILES.get("file"):
        text = upload.read(MAX_BYTES + 1).decode(errors="replace")
    share, really = form.get("share") == "1", form.get("really") == "1"
    try:
        reports = import_views(
            request.workspace, text, by=request.actor, dry_run=not really, share=share
        )
    except Invalid as wrong:
        return _form(request, text, share=share, error=str(wrong), status=422)
    if not really or any(report.result == "refused" for report in reports):
        return _form(request, text, share=share, reports=reports, is_done=really)
    n = sum(report.result in ("created", "changed") for report in reports)
    messages.success(request, f"{n} of {len(reports)} views taken in; the others were the same.")
    return done(request, reverse("view-list", args=[request.workspace.name]) + "?tab=mine")


def _form(
    request: Request,
    text: str,
    *,
    share: bool = False,
    reports: list[ViewReport] | None = None,
    error: str = "",
    is_done: bool = False,
    status: int = 200,
) -> HttpResponse:
    refused = "" if Permission.EDIT_OWN_VIEWS in request.permissions else READER
    context: dict[str, Any] = {
        **frame(request, active="views"),
        "text": text,
        "share": share,
        "reports": reports,
        "error": error or refused,
        "refused": bool(refused),
        "is_done": is_done,
    }
    return render_page(request, "views/import.html", context, status=status)
