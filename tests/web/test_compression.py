"""Pages travel compressed; downloads, log pieces and the API do not."""

import gzip
from typing import Any

from django.test import Client

from tests import make

ZIPPED = {"Accept-Encoding": "gzip"}
BYTES = "application/octet-stream"


def test_a_page_is_compressed_and_says_so(bob_client: Client, experiment: Any) -> None:
    for _ in range(20):
        make.run(experiment)
    plain = bob_client.get("/w/lab/runs").content
    answer = bob_client.get("/w/lab/runs", headers=ZIPPED)

    assert answer["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer["Vary"]
    assert len(answer.content) < len(plain) / 4
    assert b"</html>" in gzip.decompress(answer.content)


def test_downloads_logs_and_programs_get_plain_answers(
    bob_client: Client, people: Any, workspace: Any, run: Any
) -> None:
    api = make.Api(people.bob, workspace)
    base = f"/runs/{run.uid}"
    page, log = b"<p>x</p>" * 1_000, b"a line\n" * 2_000
    assert api.send("PUT", f"{base}/artifacts/page.html", page, BYTES).status_code == 201
    log_path = f"{base}/logs/logs/output.txt"
    assert api.send("POST", f"{log_path}?offset=0", log, BYTES).status_code == 200
    here = f"/w/lab{base}"
    piece = f"{here}/log-lines?path=logs/output.txt"

    for path in (f"{here}/files/page.html", piece, "/api/v1/openapi.json"):
        answer = bob_client.get(path, headers=ZIPPED)
        assert answer.status_code == 200, path
        assert not answer.has_header("Content-Encoding"), path
