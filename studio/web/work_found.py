"""Background work by its address."""

from django.http import Http404

from studio.web.access import Request
from studio.work.models import Work


def find_work(request: Request, uid: str) -> Work:
    """The work of the request's workspace (1 query), else 404."""
    found = Work.objects.of(request.workspace).filter(uid=uid).first()
    if found is None:
        raise Http404(f"There is no background work “{uid[:80]}” in “{request.workspace}”.")
    found.workspace = request.workspace
    return found
