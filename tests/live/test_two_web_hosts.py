"""Two web servers with nothing in common but database, broker, bucket and key: any of them answers
any request (docs/deploy.md)."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from studio.artifacts.models import MAIN_LOG
from studio.sdk import Experiment, ScriptRunConfig, Workspace
from tests.live.studio import status_of, write_script
from tests.live.test_main_job import log_of
from tests.live.web_hosts import Browser, Hosts, two_hosts
from tests.waiting import wait_until

pytestmark = pytest.mark.live

LIVES = """
import time
print("needle in the log", flush=True)
for n in range(3000):
    print("line", n, flush=True)
    time.sleep(0.1)
"""
HISTORY = "experiment,name,metric.loss\nbrought,one,0.5\nbrought,two,0.25\n"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with two_hosts(tmp_path_factory.mktemp("hosts")) as made:
        yield made


@pytest.fixture
def browser(hosts: Hosts) -> Browser:
    made = Browser()
    made.sign_in(hosts.urls[0])
    return made


@pytest.fixture(scope="module")
def workspace(hosts: Hosts) -> Workspace:
    return hosts.workspace(hosts.manage("createtoken", "admin", "--workspace=lab", "--scope=admin"))


def test_one_session_holds_on_both_and_ends_on_both(hosts: Hosts) -> None:
    first, second = hosts.urls
    browser = Browser()
    browser.sign_in(first)
    page = f"{second}/account"
    assert browser.get(page, allow_redirects=False).status_code == 200

    made = browser.form(page, f"{first}/account/tokens", name="mine", scope="write")
    secret = re.search(r"studio_[\w-]{20,}", made.text)
    assert secret, made.text
    for url in hosts.urls:
        headers = {"Authorization": f"Bearer {secret[0]}"}
        assert requests.get(f"{url}/api/v1/whoami", headers=headers).json()["user"] == "admin"

    cookies = dict(browser.cookies)
    assert browser.form(page, f"{second}/sign-out").status_code in (302, 303)
    for url in hosts.urls:
        after = requests.get(f"{url}/account", cookies=cookies, allow_redirects=False)
        assert after.status_code == 302, url


def test_wrong_passwords_are_counted_for_all_hosts_together(hosts: Hosts) -> None:
    def told(url: str) -> str:
        page = f"{url}/sign-in"
        return Browser().form(page, page, username="nobody-here", password="guess").text

    for n in range(10):
        assert "do not match" in told(hosts.urls[n % 2])
    for url in hosts.urls:
        assert "Too many tries" in told(url)


def test_a_single_sign_on_begun_on_one_host_ends_on_the_other(hosts: Hosts) -> None:
    first, second = hosts.urls
    hosts.provider.claims = {"sub": "7", "email": "eve@acme.org", "email_verified": True}
    browser = Browser()
    sent = browser.get(f"{second}/sign-in/oidc?next=/account", allow_redirects=False)
    back = requests.get(sent.headers["Location"], allow_redirects=False).headers["Location"]
    # The provider knows one address of the studio; the proxy there passes it to either host.
    assert back.startswith(f"{first}/sign-in/oidc/back?")

    answer = browser.get(back, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account"), answer.text
    for url in hosts.urls:
        account = browser.get(f"{url}/account", allow_redirects=False)
        assert (account.status_code, ">eve<" in account.text) == (200, True), url
    browser.form(f"{first}/account", f"{first}/sign-out")
    again = browser.get(back.replace(first, second), allow_redirects=False)
    assert again.status_code == 403, "an answer of a provider is good once, on all hosts"


def test_a_run_is_followed_searched_tagged_and_cancelled_on_either_host(
    hosts: Hosts, workspace: Any, browser: Browser, tmp_path: Path
) -> None:
    source = write_script(tmp_path / "source", LIVES)
    config = ScriptRunConfig(source_directory=str(source), script="train.py", compute_target="gpu")
    run: Any = Experiment(workspace, "live").submit(config)
    status_of(run, "Running")
    for url in hosts.urls:
        lines = f"{url}/w/lab/runs/{run.id}/log-lines?path={MAIN_LOG}&from=1&n=400"
        wait_until(lambda lines=lines: "line 1" in browser.get(lines).text, 20, f"lines: {lines}")
    before = len(log_of(run))
    wait_until(lambda: len(log_of(run)) > before, 20, "a log that grows")

    first, second = hosts.urls
    form = {"all": "1", "list": "?q=log~needle", "back": "/w/lab/runs"}
    assert browser.form(f"{first}/account", f"{first}/w/lab/runs-logs/start", **form).ok
    found = f"{second}/w/lab/runs?q=log~needle"
    wait_until(lambda: ": 1 found." in browser.get(found).text, 20, "a search in logs")

    run.tag("stage", "trial")
    for url in hosts.urls:
        assert "trial" in browser.get(f"{url}/w/lab/runs/{run.id}").text
        assert run.get_tags() == {"stage": "trial"}

    assert browser.form(f"{first}/account", f"{second}/w/lab/runs/{run.id}/cancel").ok
    assert status_of(run, "Canceled") == "Canceled"
    assert "line 1\n" in log_of(run)


def test_a_file_sent_to_one_host_is_read_from_the_other(
    hosts: Hosts, workspace: Any, browser: Browser, tmp_path: Path
) -> None:
    run: Any = Experiment(workspace, "files").start_logging(snapshot_directory=None)
    data = os.urandom(20_000_000)
    (tmp_path / "model.bin").write_bytes(data)

    run.upload_file("outputs/model.bin", str(tmp_path / "model.bin"))
    run.complete()

    digest = hashlib.sha256(data).hexdigest()
    for url in hosts.urls:
        address = f"{url}/w/lab/runs/{run.id}/files/outputs/model.bin"
        assert hashlib.sha256(browser.get(address).content).hexdigest() == digest, url
    run.download_file("outputs/model.bin", str(tmp_path / "again.bin"))
    assert hashlib.sha256((tmp_path / "again.bin").read_bytes()).hexdigest() == digest


def test_a_history_uploaded_to_one_host_is_imported_by_the_worker(
    hosts: Hosts, browser: Browser
) -> None:
    first, second = hosts.urls
    page = f"{first}/w/lab/import"
    file = {"file": ("history.csv", HISTORY)}
    sent = browser.form(page, f"{second}/w/lab/import/check", kind="csv", files=file)
    assert sent.status_code == 303, sent.text
    work = sent.headers["Location"]
    address = f"{first}/w/lab/import/{work.rpartition('/')[2]}/start"
    wait_until(lambda: "/start" in browser.get(f"{first}{work}").text, 20, "the look-through")

    assert browser.form(f"{second}{work}", address).status_code == 303
    brought = f"{second}/w/lab/experiments/brought"
    wait_until(lambda: browser.get(brought).status_code == 200, 20, "the import")


def test_a_view_shared_on_one_host_is_known_on_the_other(workspace: Any) -> None:
    client = workspace._client
    view = client.post("/views", {"name": "Best", "state": {"q": "status:completed"}})
    client.post(f"/views/{view['uid']}/share", {"everyone": "see"})

    for _ in range(2):
        assert [one["name"] for one in client.get("/views")["items"]] == ["Best"]


def test_what_clients_make_up_for_a_proxy_is_not_believed(hosts: Hosts) -> None:
    """Nobody said STUDIO_TRUST_PROXY, though every connection comes from this machine."""
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9", "SCRIPT_NAME": "/evil"}

    answer = requests.get(f"{hosts.urls[0]}/account", headers=forged, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in?next=/account")
    assert "Strict-Transport-Security" not in answer.headers
