"""Every setting of the studio, read from environment variables with working defaults.

The default needs no other service: SQLite and a file broker under STUDIO_HOME.
docs/settings.md lists each variable; a test keeps that table true.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Any

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def env_bool(name: str, default: bool = False) -> bool:
    return env(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


def env_float(name: str, default: float) -> float:
    try:
        return float(env(name, str(default)))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {env(name)!r}.") from error


STUDIO_HOME = Path(env("STUDIO_HOME", str(BASE_DIR / "var"))).resolve()
STUDIO_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)


def secret_key() -> str:
    """The key from STUDIO_SECRET_KEY, else one made on first use and kept in STUDIO_HOME."""
    if given := env("STUDIO_SECRET_KEY"):
        return given
    path = STUDIO_HOME / "secret_key"
    try:
        # O_EXCL: web and worker may start at the same moment; exactly one of them makes the key.
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(fd, "w") as file:
        file.write(key := secrets.token_urlsafe(50))
    return key


def read_version() -> str:
    """The newest version heading of CHANGELOG.md (healthchecks' habit)."""
    try:
        text = (BASE_DIR / "CHANGELOG.md").read_text()
    except OSError:
        return "0"
    found = re.search(r"^## v?(\S+)", text, re.MULTILINE)
    return found.group(1) if found else "0"


STUDIO_VERSION = read_version()
SECRET_KEY = secret_key()
DEBUG = env_bool("STUDIO_DEBUG")
ALLOWED_HOSTS = env("STUDIO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
STUDIO_BASE_URL = env("STUDIO_BASE_URL", f"http://127.0.0.1:{env('PORT', '8000')}").rstrip("/")
BEHIND_TLS = STUDIO_BASE_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [STUDIO_BASE_URL]

INSTALLED_APPS = [
    "studio.apps.StudioConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "studio.accounts",
    "studio.compute",
    "studio.work",
    "studio.runs",
    "studio.metrics",
    "studio.artifacts",
    "studio.search",
    "studio.execution",
    "studio.bulk",
    "studio.custom_views",
    "studio.alerts",
    "studio.web",
    "studio.api",
]

MIDDLEWARE = [
    "studio.web.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "studio.web.middleware.CompressPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "environment": "studio.web.jinja.environment",
            "context_processors": [
                "django.contrib.messages.context_processors.messages",
                "studio.web.jinja.one_csrf_input",
            ],
        },
    },
    # Only for pages of installed packages (the API's browsable document).
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
]

# ---------------------------------------------------------------- database
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000;"
)


def database() -> dict[str, Any]:
    """DATABASE_URL, else SQLite in STUDIO_HOME, tuned so that writers queue instead of failing."""
    url = env("DATABASE_URL")
    if url and not url.startswith("sqlite"):
        config: dict[str, Any] = dict(dj_database_url.parse(url))
        # Pages ask many short questions: compiling one takes longer than answering it, and the
        # indexes lie in memory or on disks that do not seek. `?options=` in the URL replaces it.
        config["OPTIONS"] = {
            "options": "-c jit=off -c random_page_cost=1.1",
            **config.get("OPTIONS", {}),
            "pool": {"min_size": 1, "max_size": 40},
        }
        return config
    path = url.removeprefix("sqlite:///") if url else str(STUDIO_HOME / "studio.sqlite3")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            # A deferred transaction that upgrades to writing fails at once with "database is
            # locked", whatever the time-out; IMMEDIATE waits its turn.
            "transaction_mode": "IMMEDIATE",
            "init_command": SQLITE_PRAGMAS,
        },
    }


DATABASES = {"default": database()}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    INSTALLED_APPS.insert(1, "django.contrib.postgres")

# ---------------------------------------------------------------- bytes
STUDIO_STORAGE_URL = env("STUDIO_STORAGE_URL", f"file://{STUDIO_HOME / 'blobs'}")
STUDIO_RUNS_DIR = Path(env("STUDIO_RUNS_DIR", str(STUDIO_HOME / "runs")))
STUDIO_ENVIRONMENTS_DIR = Path(env("STUDIO_ENVIRONMENTS_DIR", str(STUDIO_HOME / "environments")))
ENVIRONMENTS_MAX_BYTES = int(env_float("STUDIO_ENVIRONMENTS_MAX_BYTES", 20 * 1024**3))
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
# Files of forms are images and small texts: what does not fit in memory is not written to a disk
# first to be refused there (programs send files as bodies, which are streamed).
FILE_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
MAX_ARTIFACT_BYTES = int(env_float("STUDIO_MAX_ARTIFACT_BYTES", 50 * 1024**3))
SNAPSHOT_MAX_FILES = int(env_float("STUDIO_SNAPSHOT_MAX_FILES", 2_000))
SNAPSHOT_MAX_BYTES = int(env_float("STUDIO_SNAPSHOT_MAX_BYTES", 300_000_000))

# ---------------------------------------------------------------- Celery
BROKER_DIR = STUDIO_HOME / "broker"
CELERY_BROKER_URL = env("CELERY_BROKER_URL", "safefs://localhost/")
if CELERY_BROKER_URL.startswith("safefs:"):
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(BROKER_DIR / "queues"),
        "data_folder_out": str(BROKER_DIR / "queues"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.1,
    }
    for folder in ("queues", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
elif CELERY_BROKER_URL.startswith(("redis", "valkey")):
    # A broker that hangs must not hold up the request that rings it (nor wait for ever by default).
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 3.0, "socket_connect_timeout": 3.0}
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_DEFAULT_QUEUE = "studio"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The row is already written when a task is published, so publishing may give up quickly.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"

# ---------------------------------------------------------------- runs and workers
NOT_RESPONDING_AFTER_S = env_float("STUDIO_NOT_RESPONDING_AFTER_S", 120)
LOST_AFTER_S = env_float("STUDIO_LOST_AFTER_S", 600)
WORKER_BEAT_S = env_float("STUDIO_WORKER_BEAT_S", 5)
WORKER_LOST_AFTER_S = env_float("STUDIO_WORKER_LOST_AFTER_S", 60)
HANDOVER_S = env_float("STUDIO_HANDOVER_S", 300)
DEFAULT_GRACE_S = env_float("STUDIO_GRACE_S", 30)
TRASH_DAYS = env_float("STUDIO_TRASH_DAYS", 30)
RECORD_DAYS = env_float("STUDIO_RECORD_DAYS", 30)
MONITOR_S = env_float("STUDIO_MONITOR_S", 5)

# ---------------------------------------------------------------- mail and webhooks
MAIL = dj_email_url.parse(env("EMAIL_URL", "console:"))
EMAIL_BACKEND, EMAIL_FILE_PATH = MAIL["EMAIL_BACKEND"], MAIL["EMAIL_FILE_PATH"]
EMAIL_HOST, EMAIL_PORT = MAIL["EMAIL_HOST"], MAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL["EMAIL_HOST_USER"], MAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL["EMAIL_USE_TLS"], MAIL["EMAIL_USE_SSL"]
# For each answer; slow mail servers are not away.
EMAIL_TIMEOUT = MAIL["EMAIL_TIMEOUT"] or 60
DEFAULT_FROM_EMAIL = env("STUDIO_EMAIL_FROM", "studio@localhost")
# A mail's own limit: more than so many to one person in an hour leave as digests.
MAX_MAILS_PER_HOUR = int(env_float("STUDIO_MAX_MAILS_PER_HOUR", 20))
WEBHOOK_NETWORKS = [part for part in env("STUDIO_WEBHOOK_NETWORKS").split(",") if part]

# ---------------------------------------------------------------- people
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
# For how long the link is good with which a new person sets a password.
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_NAME = "__Host-studio" if BEHIND_TLS else "studio_session"
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("STUDIO_TRUST_PROXY") else None
)
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_TLS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# ---------------------------------------------------------------- static files
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STUDIO_STATIC_ROOT", str(STUDIO_HOME / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "studio.web.staticfiles.PackageFileFinder",
]
# Third-party files served straight out of their installed Python packages.
PACKAGE_STATIC_FILES = {"vendor/plotly/plotly.min.js": ("plotly", "package_data/plotly.min.js")}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "studio.web.staticfiles.StudioStaticStorage"},
}
WHITENOISE_MAX_AGE = 3600

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("STUDIO_LOG_LEVEL", "WARNING")},
    "loggers": {"studio": {"level": env("STUDIO_LOG_LEVEL", "INFO")}},
}
