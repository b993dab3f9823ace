"""Outputs as they were agreed on: `GOLDEN=write pytest tests/cli` writes them anew."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with the file of that name."""
    file = FOLDER / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert file.exists(), f"there is no {file}: GOLDEN=write makes it"
    assert text == file.read_text()
