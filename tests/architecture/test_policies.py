"""Every address has a rule about who may use it; a new one without a rule fails here."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from studio.api.api import api
from tests.architecture.sources import listing

# Pages outside a workspace: they belong to nobody in particular, so they are public by name.
IN_WORKSPACE = "w/<slug:workspace>"
# Operations of the API without a token, each with the reason why that is right.
NO_TOKEN: dict[str, str] = {}
# What django-ninja itself serves: the description of the API, which holds nothing of anybody.
DESCRIPTION = {"openapi-json", "openapi-view", "api-root"}


def patterns(
    resolver: URLResolver | None = None, prefix: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """(whole route, pattern) of every address of the studio."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        else:
            yield route, entry


def web_patterns() -> list[tuple[str, URLPattern]]:
    return [
        (route, found)
        for route, found in patterns()
        if not route.startswith("api/") and not mlflow_policy_of(found)
    ]


def mlflow_policy_of(pattern: URLPattern) -> str:
    """Who may use an address of the MLflow protocol; "" for other addresses."""
    return str(getattr(pattern.callback, "mlflow_policy", ""))


def test_every_address_of_the_mlflow_protocol_asks_for_a_token_or_says_why_not() -> None:
    of_protocol = {
        f"{route} ({pattern.lookup_str})": mlflow_policy_of(pattern)
        for route, pattern in patterns(get_resolver("studio.mlflow_api.urls"))
    }
    problems = [
        f"/{name}: “{policy}” is no reason"
        for name, policy in of_protocol.items()
        if policy != "token" and len(policy.split()) < 4
    ]

    assert len(of_protocol) > 10
    assert not problems, listing(problems)


def policy_of(pattern: URLPattern) -> str:
    return str(getattr(pattern.callback, "studio_policy", ""))


def test_every_page_says_who_may_open_it() -> None:
    problems = [
        f"/{route} ({pattern.lookup_str}) has no @page, @action or @public"
        for route, pattern in web_patterns()
        if not policy_of(pattern)
    ]

    assert not problems, listing(problems)


def test_what_is_in_a_workspace_is_for_its_members_only() -> None:
    problems = [
        f"/{route} has the policy “{policy_of(pattern)}”"
        for route, pattern in web_patterns()
        if route.startswith(IN_WORKSPACE) != (policy_of(pattern) == "member")
    ]

    assert not problems, listing(problems)


def test_a_public_page_gives_a_reason() -> None:
    problems = [
        f"/{route}: “{policy_of(pattern)}” is no reason"
        for route, pattern in web_patterns()
        if policy_of(pattern) != "member" and len(policy_of(pattern).split()) < 4
    ]

    assert not problems, listing(problems)


def test_every_page_has_a_name_and_no_two_share_one() -> None:
    names = [pattern.name for _, pattern in web_patterns()]

    assert None not in names
    assert len(names) == len(set(names))


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """("GET /api/v1/…", description) of every operation in the OpenAPI document."""
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_of_the_api_asks_for_a_token() -> None:
    found = dict(operations())
    problems = [
        f"{name} asks for no token"
        for name, operation in found.items()
        if bool(operation.get("security")) == (name in NO_TOKEN)
    ]

    assert len(found) > 20
    assert not problems, listing(problems)


def test_nothing_answers_under_the_api_that_its_document_does_not_name() -> None:
    documented = {name.split(" ", 1)[1] for name, _ in operations()}
    problems = [
        f"/{route} is not in the OpenAPI document"
        for route, pattern in patterns()
        if route.startswith("api/")
        and not mlflow_policy_of(pattern)
        and pattern.name not in DESCRIPTION
        and pattern.callback.__name__ != "nothing_here"
        and re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/{route}") not in documented
    ]

    assert not problems, listing(problems)
