"""The Jinja2 environment of every page: addresses, icons, and values written for people."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jinja2
import lucide
from django.http import HttpRequest
from django.template.backends.utils import csrf_input
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.functional import SimpleLazyObject
from markupsafe import Markup

from studio.artifacts.previews import Preview
from studio.runs.coloured_lines import visible_name
from studio.runs.models import Description
from studio.web import formats


def environment(**options: Any) -> jinja2.Environment:
    """The environment for Django's Jinja2 backend, autoescaping on."""
    options.pop("autoescape", None)
    options.setdefault("trim_blocks", True)
    options.setdefault("lstrip_blocks", True)
    env = jinja2.Environment(autoescape=True, **options)
    env.globals.update(url=url, static=static_url, icon=icon, glyph=glyph, sprite=sprite)
    env.filters.update(FILTERS)
    return env


def one_csrf_input(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the hidden CSRF field, made once a page instead of once a form.

    A list has a form in every row, and each token is 64 random characters.
    """
    return {"csrf_input": SimpleLazyObject(lambda: csrf_input(request))}


def url(name: str, /, *args: Any, **kwargs: Any) -> str:
    """The path of the named page; raises NoReverseMatch on a name or argument that fits none."""
    return _path(get_script_prefix(), name, args, tuple(kwargs.items()))


# A page names fifty addresses, most of them those of the page before.
@lru_cache(maxsize=4_096, typed=True)
def _path(prefix: str, name: str, args: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> str:
    return reverse(name, args=args, kwargs=dict(named))


def part(template: str, context: Mapping[str, Any]) -> Markup:
    """A piece of a page, drawn on its own; the template has escaped what it was given."""
    return Markup(render_to_string(template, dict(context)))  # noqa: S704


@lru_cache(maxsize=256)
def static_url(path: str) -> str:
    """The address of a file under static/; a page names forty of them, which stay the same while
    the server runs. Raises ValueError for a file that was not collected."""
    return static(path)


@lru_cache(maxsize=512)
def icon(name: str, size: int = 16) -> Markup:
    """A lucide icon as inline SVG, hidden from screen readers: words beside it carry the meaning.

    Raises lucide.IconDoesNotExist for an unknown name.
    """
    drawing = lucide._render_icon(name, size, aria_hidden="true", focusable="false")
    # The text comes from the installed icon package, never from a person.
    return Markup(drawing)  # noqa: S704


@lru_cache(maxsize=512)
def glyph(name: str, size: int = 16) -> Markup:
    """An icon that `sprite` drew on the page: a table repeats some of them in each row."""
    drawing = (
        f'<svg class="glyph" width="{size}" height="{size}" aria-hidden="true">'
        f'<use href="#i-{name}"/></svg>'
    )
    # The name is the template's own.
    return Markup(drawing)  # noqa: S704


@lru_cache(maxsize=16)
def sprite(*names: str) -> Markup:
    """The icons that `glyph` refers to, drawn once and not shown. Raises as `icon`."""
    drawn = []
    for name in names:
        inner = icon(name).partition(">")[2].rpartition("</svg>")[0]
        drawn.append(f'<symbol id="i-{name}" viewBox="0 0 24 24">{inner.strip()}</symbol>')
    drawing = f'<svg class="sprite" aria-hidden="true">{"".join(drawn)}</svg>'
    return Markup(drawing)  # noqa: S704


def cleaned_html(description: Description | Preview) -> Markup:
    """A stored description or a previewed file, unescaped: `runs.markdown` cleaned it."""
    return Markup(description.html)  # noqa: S704


FILTERS: dict[str, Callable[..., Any]] = {
    "number": formats.number,
    "count": formats.count,
    "short_count": formats.short_count,
    "bytes": formats.size,
    "duration": formats.duration,
    "iso": formats.iso,
    "absolute": formats.absolute,
    "ago": formats.ago,
    "left": formats.left,
    "iso_duration": formats.iso_duration,
    "clock": formats.clock,
    "clock_ms": formats.clock_ms,
    "cleaned_html": cleaned_html,
    "visible": visible_name,
}
