"""docs/sdk.md: its examples run as they stand, in their order."""

import re
from pathlib import Path

import pytest

from tests.live.studio import ROOT, Studio

pytestmark = pytest.mark.live


def test_the_examples_of_the_guide_run_in_their_order(
    shared_studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = shared_studio.folder / f"guide-{tmp_path.name}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sdk.md").read_text(), re.S)
    assert len(blocks) == 8
    names: dict[str, object] = {"__name__": "guide"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"docs/sdk.md, example {number}", "exec"), names)
    assert not Path("outputs").exists(), "an empty folder that was made goes again"
