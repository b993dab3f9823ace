"""Two web servers and a worker that share a database, a broker and a bucket, and no folder: as on
three hosts. Started by the commands that docs/deploy.md names."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from studio.sdk import Workspace
from studio.sdk.client import Answer, Client
from tests.blobs.bucket import serving
from tests.live.faults import Redis
from tests.live.studio import PASSWORD, ROOT, free_port
from tests.postgres import address_of, database_of_its_own
from tests.prepared import clean_environment, prepared
from tests.waiting import answers, wait_until
from tests.web import oidc_provider

KEY = "w7Tq-2kZ0pVx9LmR4sJd8NfHb6GyCuE1aXoQ5iWtKz3rBvPl"


class Turns(Client):
    """The SDK's client behind a proxy that sends each request to the next host."""

    def __init__(self, urls: list[str], workspace: str, token: str) -> None:
        super().__init__(urls[0], workspace, token)
        self.turns = itertools.cycle(urls)

    def send(self, *words: Any, **options: Any) -> Answer:
        self.url = next(self.turns)
        return super().send(*words, **options)


class Browser(requests.Session):
    """A person's browser: forms carry what the page holds against forgery."""

    def form(self, page: str, action: str, /, **values: Any) -> requests.Response:
        """Open `page`, and send a form of it to `action`, which may be on the other host."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page).text)
        assert found, page
        files = values.pop("files", None)
        data = {"csrfmiddlewaretoken": found.group(1), **values}
        return self.post(action, data=data, files=files, allow_redirects=False)

    def sign_in(self, url: str) -> None:
        sent = self.form(f"{url}/sign-in", f"{url}/sign-in", username="admin", password=PASSWORD)
        assert sent.status_code == 302, sent.text


class Hosts:
    """`urls` of the two web servers; `environment`: what all three share; `provider`: who knows
    the people of acme.org."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.ports = [free_port(), free_port()]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.environment = {
            **clean_environment(),
            "STUDIO_SECRET_KEY": KEY,
            "STUDIO_BASE_URL": self.urls[0],
            "STUDIO_STATIC_ROOT": str(prepared() / "static"),
            "STUDIO_GRACE_S": "3",
            "STUDIO_LOG_EVERY_S": "0.2",
            **environment,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.provider = oidc_provider.Provider()

    def start(self) -> None:
        for port in self.ports:
            self._begin(f"web-{port}", "web", f"--port={port}", "--threads=8")
        self._begin("worker", "worker", "--target=gpu", "--concurrency=2")
        self.manage("createsuperuser", "--noinput", "--username=admin", "--email=a@example.org")
        assert self.manage("createworkspace", "lab", "--owner=admin") == "/w/lab/runs"
        ready = "readyz?only=database,broker,storage"
        for url in self.urls:
            wait_until(lambda url=url: answers(f"{url}/{ready}"), 60, f"{url} to be ready")
        heard = self.folder / "worker.log"
        wait_until(lambda: "serves “gpu”" in heard.read_text(), 60, "a worker")

    def manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env={**self._own("shell"), "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _own(self, name: str) -> dict[str, str]:
        return {**self.environment, "STUDIO_HOME": str(self.folder / name)}

    def _begin(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *words],
                env=self._own(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(40)
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-3000:]}")

    def workspace(self, token: str) -> Workspace:
        """Each request of it goes to the other host."""
        return Workspace._of(Turns(self.urls, "lab", token))


@contextmanager
def two_hosts(folder: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        bucket = stack.enter_context(serving())
        name = stack.enter_context(database_of_its_own())
        redis = Redis(folder)
        stack.callback(redis.stop)
        provider = stack.enter_context(oidc_provider.running())
        hosts = Hosts(
            folder,
            STUDIO_OIDC_ISSUER=provider.issuer,
            STUDIO_OIDC_CLIENT_ID=oidc_provider.CLIENT,
            STUDIO_OIDC_CLIENT_SECRET=oidc_provider.SECRET,
            STUDIO_OIDC_DOMAINS="acme.org",
            DATABASE_URL=address_of(name),
            CELERY_BROKER_URL=redis.url,
            STUDIO_STORAGE_URL=bucket.url,
        )
        hosts.provider = provider
        stack.callback(hosts.stop)
        hosts.start()
        yield hosts
