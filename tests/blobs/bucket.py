"""A bucket on a real server on this machine, with a switch for what may go wrong on the way."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

App = Callable[[dict[str, Any], Callable[..., Any]], Any]
# (environ, start_response, the server) -> its answer, or None to let the request through.
Fault = Callable[[dict[str, Any], Callable[..., Any], App], Any]


class Bucket:
    """`url` of a store in it; `asked`: "METHOD path" of every request; `fault` may answer them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.fault: Fault | None = None

    def n(self, method: str) -> int:
        return sum(one.startswith(f"{method} ") for one in self.asked)


@contextmanager
def serving(name: str = "lab") -> Iterator[Bucket]:
    """A server with one empty bucket until the end of the block."""
    server_app: App = DomainDispatcherApplication(create_backend_app)
    bucket = Bucket("")

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        bucket.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        answer = bucket.fault(environ, start, server_app) if bucket.fault else None
        return server_app(environ, start) if answer is None else answer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    bucket.url = f"s3://{name}/studio?endpoint={endpoint}&region=us-east-1"
    secrets = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    before = {key: os.environ.get(key) for key in secrets}
    os.environ.update(secrets)
    try:
        _make(endpoint, name)
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def _make(endpoint: str, name: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=name)
