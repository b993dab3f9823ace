"""What a studio refuses to start with: settings that would open it to strangers.

Django's own checks (`manage.py check --deploy`) warn of more; these are errors, always, because
installations with a sample key or a shipped password are what is broken into first.
"""

import ipaddress
import os
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

LEAST_KEY_CHARACTERS = 32
LEAST_KEY_VARIETY = 10
# What documentation, templates and habits put there.
SAMPLES = ("django-insecure", "change-me", "changeme", "change_me", "replace-me", "your-secret")
USUAL_PASSWORDS = {
    *("postgres", "password", "passw0rd", "changeme", "change-me", "admin", "root", "secret"),
    *("studio", "example", "test", "123456", "12345678", "default"),
}


def secret_key() -> Iterator[str]:
    """A key that others may know or guess."""
    key = str(settings.SECRET_KEY)
    if any(sample in key.lower() for sample in SAMPLES):
        yield "STUDIO_SECRET_KEY is a sample: whoever knows it can sign in as anybody."
    elif len(key) < LEAST_KEY_CHARACTERS or len(set(key)) < LEAST_KEY_VARIETY:
        yield f"STUDIO_SECRET_KEY needs at least {LEAST_KEY_CHARACTERS} random characters."


def hosts() -> Iterator[str]:
    """Any name is answered: a page elsewhere can drive a studio under a name of its own."""
    if any(host.strip() == "*" for host in settings.ALLOWED_HOSTS):
        yield "STUDIO_ALLOWED_HOSTS holds “*”. Name the hosts under which the studio is used."


def debugging() -> Iterator[str]:
    """Pages with source and settings, for the network."""
    bind = os.environ.get("STUDIO_BIND", "127.0.0.1")
    if settings.DEBUG and not is_loopback(bind):
        yield f"STUDIO_DEBUG is on while the studio listens on {bind}. Use it on 127.0.0.1 only."


def database_password() -> Iterator[str]:
    """A password that comes with the database's image or example."""
    facts = settings.DATABASES["default"]
    password = str(facts.get("PASSWORD") or "")
    if password and (password.lower() in USUAL_PASSWORDS or password == facts.get("USER")):
        yield "The password in DATABASE_URL is a usual one. Give the database one of its own."


def serializers() -> Iterator[str]:
    """Messages or results that run code when they are read."""
    from studio.celery import app

    conf: Any = app.conf
    taken = {conf.task_serializer, conf.result_serializer, conf.event_serializer}
    taken |= {*(conf.accept_content or ()), *(conf.result_accept_content or ())}
    if not taken <= {"json"}:
        yield f"Celery must read and write JSON alone, not {', '.join(sorted(taken - {'json'}))}."


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "studio.E001": secret_key,
    "studio.E002": hosts,
    "studio.E003": debugging,
    "studio.E004": database_password,
    "studio.E005": serializers,
}


def unsafe_settings(**_: Any) -> list[CheckMessage]:
    """An error for each setting that the studio does not start with (0 queries)."""
    return [Error(told, id=name) for name, check in CHECKS.items() for told in check()]


def is_loopback(bind: str) -> bool:
    """Whether an address to listen on is this machine's own alone."""
    if bind.strip("[]") in {"localhost", ""}:
        return bool(bind)
    try:
        return ipaddress.ip_address(bind.strip("[]")).is_loopback
    except ValueError:
        return False


def install() -> None:
    """Let `manage.py check` and the first process that serves ask them."""
    register(unsafe_settings, Tags.security)
