"""docs/api.md: its lines run as they stand, in their order, against a real studio."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from studio.api import errors
from tests.live.studio import ROOT, Studio

PAGE = (ROOT / "docs" / "api.md").read_text()


def script_of(page: str, studio: Studio) -> str:
    """All its shell lines as one script, which ends by telling the run's id."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.S))
    lines = lines.replace("http://127.0.0.1:8000", studio.url)
    return lines.replace("studio_…", studio.config["token"]) + '\necho "run=$uid"\n'


@pytest.mark.live
def test_the_lines_of_the_page_run_in_their_order(shared_studio: Studio, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script_of(PAGE, shared_studio)],
        cwd=tmp_path,
        env={**os.environ, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    assert '"code": "unauthenticated"' in done.stdout
    assert '{"layers": 3}' in done.stdout
    run = shared_studio.workspace.get_run(done.stdout.rpartition("run=")[2].strip())
    assert run.get_status() == "Completed"
    assert run.get_metrics()["loss"] == [0.9, 0.5, 0.3]
    assert run.get_tags() == {"quality": "great", "watch": None}


def test_every_code_of_a_refusal_stands_on_the_page() -> None:
    source = Path(errors.__file__).read_text()
    codes = set(re.findall(r'error\(\s*\d{3},\s*"(\w+)"', source))
    codes |= set(re.findall(r'\(\w+, \d{3}, "(\w+)"\)', source))
    assert len(codes) > 8
    assert {code for code in codes - {"internal_error"} if f"`{code}`" not in PAGE} == set()
