"""gunicorn's own lines in the format of all others."""

from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from studio.logbook import JsonLines, PlainLines


class Log(Logger):  # type: ignore[misc]
    """gunicorn's logger; who asks for each request looks at `studio.access`."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        formatter = JsonLines() if settings.LOG_FORMAT == "json" else PlainLines()
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)
