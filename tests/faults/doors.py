"""The ways to one run: the JSON API, a page with its form, the SDK. Each answers with the status
code that the studio gave."""

import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO, Any

from studio.sdk import StudioError
from tests.live.studio import PASSWORD, Studio


def by_api(studio: Studio, run_id: str, way: str) -> int:
    """POST one of complete, fail, cancel, canceled, kill."""
    request = urllib.request.Request(
        f"{studio.url}/api/v1/workspaces/default/runs/{run_id}/{way}",
        data=b"{}",
        headers={
            "Authorization": f"Bearer {studio.config['token']}",
            "Content-Type": "application/json",
        },
    )
    return code_of(urllib.request.urlopen, request)


def by_sdk(studio: Studio, run_id: str, way: str) -> int:
    """The same through the library: 409 for what it raises. It repeats what gets a 5xx, so that one
    is only seen in the studio's log."""
    run = studio.workspace.get_run(run_id)
    try:
        getattr(run, way)()
    except StudioError as refused:
        print(f"{way} refused: {refused}")
        return 409
    return 200


class Person:
    """A person who is signed in and presses the buttons of a run's page."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.cookies = CookieJar()
        self.open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), StayHere()
        ).open
        self._token = self._token_of("/sign-in")
        self._post("/sign-in", username="admin", password=PASSWORD)
        self._token = self._token_of("/w/default/runs")

    def press(self, run_id: str, way: str) -> int:
        return self._post(f"/w/default/runs/{run_id}/{way}")

    def _token_of(self, path: str) -> str:
        with self.open(self.studio.url + path, timeout=30) as answer:
            page = answer.read().decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, f"{path} has no form"
        return found[1]

    def _post(self, path: str, **fields: str) -> int:
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": self._token, **fields}).encode()
        headers = {"Referer": self.studio.url + path}
        request = urllib.request.Request(self.studio.url + path, data=data, headers=headers)
        return code_of(self.open, request)


class StayHere(urllib.request.HTTPRedirectHandler):
    """303 is the answer; the page behind it is not asked for."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def code_of(opened: Any, request: urllib.request.Request) -> int:
    try:
        with opened(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return int(refused.code)


def at_once(calls: list[Any]) -> list[int]:
    """The answers of all calls, made at the same moment."""
    codes: list[int] = []
    gate = threading.Barrier(len(calls))

    def one(call: Any) -> None:
        gate.wait(30)
        codes.append(call())

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert len(codes) == len(calls), "a call did not come back"
    return codes
