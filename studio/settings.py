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
    # Before Django's accounts, one command of which it replaces.
    "studio.accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "studio.compute",
    "studio.work",
    "studio.runs",
    "studio.metrics",
    "studio.artifacts",
    "studio.search",
    "studio.execution",
    "studio.lineage",
    "studio.bulk",
    "studio.custom_views",
    "studio.alerts",
    "studio.web",
    "studio.api",
    "studio.mlflow_api",
    "studio.importers",
    "studio.operations",
]

MIDDLEWARE = [
    "studio.operations.requests.RequestMiddleware",
    "studio.web.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "studio.web.middleware.CompressPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # Django's common one, and who may ask under any name.
    "studio.operations.requests.HostMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "studio.web.middleware.SeenSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
# 6,000 pages (25 MB) of log before they go to the database; SQLite by itself takes 1,000. A new run
# changes some 57 pages, most of them those that the run before changed.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000;PRAGMA wal_autocheckpoint=6000;"
)


def database(url: str) -> dict[str, Any]:
    """What `url` names, else SQLite in STUDIO_HOME, where writers queue instead of failing."""
    if url and not url.startswith("sqlite"):
        config: dict[str, Any] = dict(dj_database_url.parse(url))
        # Pages ask many short questions: compiling one takes longer than answering it, starting
        # further processes for it too, and the indexes lie in memory: a look-up costs less than
        # reading a page in a row from a disk. A machine whose network goes away in the middle of a
        # transaction holds its locks until the server knows: after 25 s instead of two hours.
        # `?options=` in the URL replaces it.
        config["OPTIONS"] = {
            "options": " ".join(
                [
                    "-c jit=off",
                    "-c max_parallel_workers_per_gather=0",
                    "-c random_page_cost=0.5",
                    "-c tcp_keepalives_idle=10",
                    "-c tcp_keepalives_interval=5",
                    "-c tcp_keepalives_count=3",
                ]
            ),
            **config.get("OPTIONS", {}),
            # The pool waits twice as long after each failed try; a new series of tries begins when
            # somebody asks, so that who was cut off is back within seconds of the network.
            "pool": {"min_size": 1, "max_size": 40, "reconnect_timeout": 5.0},
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


DATABASES = {"default": database(env("DATABASE_URL"))}
# For a second database, which one command moves to.
DATABASE_OF = database
# For one question of a request to a web server; 0 for no limit.
QUERY_TIMEOUT_S = env_float("STUDIO_QUERY_TIMEOUT_S", 30)
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
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    # Histories to be imported may be large, and are the one exception.
    "studio.web.uploading.ImportUploadHandler",
]
# An append is a file system call or a request that is paid for.
LOG_EVERY_S = env_float("STUDIO_LOG_EVERY_S", 2.0 if STUDIO_STORAGE_URL.startswith("s3") else 0.2)
MAX_ARTIFACT_BYTES = int(env_float("STUDIO_MAX_ARTIFACT_BYTES", 50 * 1024**3))
MAX_IMPORT_BYTES = int(env_float("STUDIO_MAX_IMPORT_BYTES", 2 * 1024**3))
SNAPSHOT_MAX_FILES = int(env_float("STUDIO_SNAPSHOT_MAX_FILES", 2_000))
SNAPSHOT_MAX_BYTES = int(env_float("STUDIO_SNAPSHOT_MAX_BYTES", 300_000_000))

# ---------------------------------------------------------------- Celery
BROKER_DIR = STUDIO_HOME / "broker"
CELERY_BROKER_URL = env("CELERY_BROKER_URL", "safefs://localhost/")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("safefs:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
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
CLIENT_SILENCE_H = env_float("STUDIO_CLIENT_SILENCE_H", 24)
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
# Tries of passwords are counted here: whoever makes up names must not push the counters out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
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
SESSION_ENGINE = "studio.accounts.session_store"
# Idle for so long, or signed in for so long, ends a session.
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_MOST_AGE_S = 30 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_NAME = "__Host-studio" if BEHIND_TLS else "studio_session"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_NAME = "__Host-csrf" if BEHIND_TLS else "csrftoken"
TRUST_PROXY = env_bool("STUDIO_TRUST_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
# Without the proxy's word nobody here can tell TLS from none, and would redirect for ever.
SECURE_SSL_REDIRECT = BEHIND_TLS and TRUST_PROXY
# Who watches over the process asks it directly.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_TLS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# To be built into browsers is the decision of a domain's owner, for all that it holds.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# ---------------------------------------------------------------- single sign-on and limits
OIDC_ISSUER = env("STUDIO_OIDC_ISSUER")
OIDC_CLIENT_ID = env("STUDIO_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env("STUDIO_OIDC_CLIENT_SECRET")
OIDC_SCOPES = env("STUDIO_OIDC_SCOPES", "openid email profile")
OIDC_NAME = env("STUDIO_OIDC_NAME", "single sign-on")
OIDC_DOMAINS = [part.strip().lower() for part in env("STUDIO_OIDC_DOMAINS").split(",") if part]
OIDC_CLAIM = env("STUDIO_OIDC_CLAIM")
OIDC_WORKSPACE = env("STUDIO_OIDC_WORKSPACE")
PASSWORD_SIGN_IN = env_bool("STUDIO_PASSWORD_SIGN_IN", True)
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured("STUDIO_OIDC_ISSUER needs STUDIO_OIDC_CLIENT_ID and _CLIENT_SECRET.")
if OIDC_ISSUER and not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", OIDC_ISSUER):
    raise ImproperlyConfigured("STUDIO_OIDC_ISSUER must begin with https://.")
if OIDC_CLAIM and not re.fullmatch(r"[^=]+=.*[^\s,].*", OIDC_CLAIM):
    raise ImproperlyConfigured("STUDIO_OIDC_CLAIM must look like groups=research,ops.")
if not re.fullmatch(r"([a-z0-9-]+(:(reader|contributor|owner))?)?", OIDC_WORKSPACE):
    raise ImproperlyConfigured("STUDIO_OIDC_WORKSPACE must look like default:reader.")
if not (PASSWORD_SIGN_IN or OIDC_ISSUER):
    raise ImproperlyConfigured("STUDIO_PASSWORD_SIGN_IN=0 needs STUDIO_OIDC_ISSUER.")
# Requests a minute of one token; 0 for no limit.
LIMITS = {
    "writes": env_float("STUDIO_LIMIT_WRITES", 60_000),
    "searches": env_float("STUDIO_LIMIT_SEARCHES", 6_000),
    "exports": env_float("STUDIO_LIMIT_EXPORTS", 120),
    "uploads": env_float("STUDIO_LIMIT_UPLOADS", 12_000),
}

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

# ---------------------------------------------------------------- what those see who run it
# A token for monitoring, which belongs to nobody.
METRICS_TOKEN = env("STUDIO_METRICS_TOKEN")
LOG_FORMAT = env("STUDIO_LOG_FORMAT", "plain")
if LOG_FORMAT not in ("plain", "json"):
    raise ImproperlyConfigured(f"STUDIO_LOG_FORMAT is plain or json, not {LOG_FORMAT!r}.")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "studio.logbook.PlainLines"},
        "json": {"()": "studio.logbook.JsonLines"},
    },
    "filters": {"expected": {"()": "studio.logbook.ExpectedRefusals"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env("STUDIO_LOG_LEVEL", "WARNING")},
    "loggers": {
        "studio": {"level": env("STUDIO_LOG_LEVEL", "INFO")},
        "django.request": {"filters": ["expected"], "level": env("STUDIO_LOG_LEVEL", "WARNING")},
    },
}
