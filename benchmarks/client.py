"""Clients on one kept-alive connection, so thin that they hardly count in what is measured."""

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def get(port: int, path: str) -> Answer:
    """One GET on a connection of its own."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return Answer(answer.status, answer.read())
    finally:
        line.close()


class Line:
    """A kept-alive connection; an answer other than 2xx or 3xx raises."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers: dict[str, str] = {}

    def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of the answer."""
        self.http.request(method, path, body, self.headers)
        answer = self.http.getresponse()
        self.note(answer)
        found = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path[:200]}: {answer.status} {found[:300]!r}")
        return found

    def note(self, answer: http.client.HTTPResponse) -> None:
        """For what a client remembers of an answer."""


class Browser(Line):
    """Keeps cookies, signs in, reads pages."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.cookies: dict[str, str] = {}

    def note(self, answer: http.client.HTTPResponse) -> None:
        for header in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = header.split(";", 1)[0].partition("=")
            self.cookies[name.strip()] = value
        self.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())

    def sign_in(self, user: str, password: str) -> None:
        found = CSRF.search(self.page("/sign-in"))
        if found is None:
            raise RuntimeError("the sign-in page has no CSRF token")
        form = {"username": user, "password": password, "csrfmiddlewaretoken": found.group(1)}
        self.headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.send("POST", "/sign-in", urlencode({**form, "next": "/"}).encode())
        del self.headers["Content-Type"]

    def page(self, path: str) -> str:
        return self.send("GET", path).decode()


class Api(Line):
    """Calls of the JSON API in one workspace."""

    def __init__(self, port: int, workspace: str, token: str) -> None:
        super().__init__(port)
        self.base = f"/api/v1/workspaces/{workspace}"
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, path: str, body: bytes) -> bytes:
        """POST bytes that are JSON already."""
        return self.send("POST", self.base + path, body)

    def post(self, path: str, value: Any) -> Any:
        return json.loads(self.call(path, json.dumps(value).encode()))

    def get(self, path: str) -> Any:
        return json.loads(self.send("GET", self.base + path))
