"""What browsers are told over TLS: a real web server with a base URL of https, behind a proxy."""

import re
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie

import pytest
import requests

from tests.live.studio import PASSWORD, ROOT, free_port
from tests.prepared import clean_environment, copy_database, prepared
from tests.waiting import answers, wait_until

pytestmark = pytest.mark.live

NAME = "studio.example.org"
BASE = f"https://{NAME}"
# As the proxy of docs/deploy.md says them.
BY_PROXY = {"Host": NAME, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which the proxy reaches the web server."""
    home = tmp_path_factory.mktemp("tls")
    copy_database(prepared() / "studio.sqlite3", home / "studio.sqlite3")
    port = free_port()
    env = {
        **clean_environment(),
        "STUDIO_HOME": str(home),
        "STUDIO_STATIC_ROOT": str(prepared() / "static"),
        "STUDIO_BASE_URL": BASE,
        "STUDIO_ALLOWED_HOSTS": NAME,
        "STUDIO_TRUST_PROXY": "1",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    manage = [sys.executable, str(ROOT / "manage.py")]
    person = ["createsuperuser", "--noinput", "--username=eve", "--email=e@example.org"]
    subprocess.run([*manage, *person], env=env, check=True, capture_output=True, timeout=60)
    with (home / "web.log").open("wb") as log:
        serve = [*manage, "web", f"--port={port}"]
        serve = [*manage, "web", f"--port={port}"]
        process = subprocess.Popen(serve, env=env, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), 60, "the web server")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(40)
        print((home / "web.log").read_text()[-3000:])


def cookies_of(answer: requests.Response) -> dict[str, Morsel[str]]:
    """Each cookie that the answer sets, with what it says of it."""
    jar: SimpleCookie = SimpleCookie()
    for line in answer.raw.headers.getlist("Set-Cookie"):
        jar.load(line)
    return dict(jar)


def sign_in(server: str) -> requests.Response:
    page = requests.get(f"{server}/sign-in", headers=BY_PROXY)
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text))
    sent = "; ".join(f"{name}={found.value}" for name, found in cookies_of(page).items())
    return requests.post(
        f"{server}/sign-in",
        headers={**BY_PROXY, "Cookie": sent, "Origin": BASE},
        data={"csrfmiddlewaretoken": token, "username": "eve", "password": PASSWORD},
        allow_redirects=False,
    )


def test_cookies_are_of_this_host_over_tls_alone_and_for_no_script(server: str) -> None:
    answer = sign_in(server)
    set_here = cookies_of(answer)

    assert answer.status_code == 302, answer.text
    assert set(set_here) == {"__Host-studio", "__Host-csrf"}
    for name, cookie in set_here.items():
        # What `__Host-` asks of a cookie: Secure, for the whole of one host and no other.
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", ""), name
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax"), name

    session = f"__Host-studio={set_here['__Host-studio'].value}"
    account = requests.get(f"{server}/account", headers={**BY_PROXY, "Cookie": session})
    assert (account.status_code, ">eve<" in account.text) == (200, True)
    assert account.history == []


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/whoami", "/api/2.0/mlflow/nothing", "/no"])
def test_browsers_are_told_to_come_over_tls_for_a_year(server: str, path: str) -> None:
    over_tls = requests.get(f"{server}{path}", headers=BY_PROXY)
    plain = {**BY_PROXY, "X-Forwarded-Proto": "http"}
    without = requests.get(f"{server}{path}", headers=plain, allow_redirects=False)

    year = "max-age=31536000; includeSubDomains"
    assert over_tls.headers["Strict-Transport-Security"] == year
    assert (without.status_code, without.headers["Location"]) == (301, f"{BASE}{path}")
