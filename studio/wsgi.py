"""WSGI entry point for gunicorn: `gunicorn studio.wsgi`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from studio.queries.patience import within

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

application = within(get_wsgi_application(), settings.QUERY_TIMEOUT_S)
