"""In which time zone a person's dates are read: the browser tells it."""

from datetime import UTC, tzinfo

from django.http import HttpRequest

from studio.search.zones import zone_called

# static/js/times.js writes it.
ZONE = "studio_zone"


def zone_of(request: HttpRequest) -> tzinfo:
    """The zone of the browser; UTC when it tells none that this machine knows."""
    return zone_called(request.COOKIES.get(ZONE, "")) or UTC
