"""The source of a run, and its JSON, in a browser."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
Open = Callable[..., Any]
TRAIN = "import os\n\n\ndef main() -> None:\n    # {}\n    print('epoch', 0.5)\n" + "\n\nx = 1" * 40


def with_source(experiment: Any, files: dict[str, str]) -> Any:
    run = make.run(experiment, parameters={"lr": "1e-3"})
    source = snapshot(experiment.workspace, {path: text.encode() for path, text in files.items()})
    Run.objects.filter(pk=run.pk).update(snapshot=source.digest, script="train.py")
    return run


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    files = {"config/lr.yaml": "lr: 0.1\n", "src/net/model.py": "LAYERS = 3\n"}
    return [
        with_source(experiment, {"train.py": TRAIN.format(words), "README.md": "# A\n", **files})
        for words in ("before", "after")
    ]


def test_a_file_is_opened_linked_and_held_against_another(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.carol, width=390)
    page = tab.open(f"{runs[1].page_path}/snapshot")
    expect(page.get_by_role("region", name="Lines of train.py")).to_contain_text("# after")
    page.get_by_role("link", name="6", exact=True).click()
    expect(page).to_have_url(f"{tab.site}{runs[1].page_path}/snapshot#L6")
    page.get_by_role("link", name="model.py").click()
    expect(page.get_by_role("region", name="Lines of src/net/model.py")).to_contain_text("LAYERS")
    page.go_back()
    page.get_by_role("button", name="Diff to another run").click()
    menu = page.get_by_role("menu", name="Diff to another run")
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    menu.get_by_role("menuitem", name=runs[0].short_uid).click()
    expect(page.locator("#compare-files")).to_contain_text("train.py")
    page.go_back()
    page.get_by_role("link", name="Diff", exact=True).click()
    expect(page.locator(".compare-lines")).to_contain_text("# before")
    assert tab.troubles == []


def test_another_run_is_found_in_a_dialog(open_tab: Open, people: Any, runs: list[Any]) -> None:
    page = open_tab(people.carol).open(f"{runs[1].page_path}/snapshot")
    page.get_by_role("button", name="Diff to another run").click()
    page.get_by_role("menuitem", name="Find a run").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_json_is_copied_whole(open_tab: Open, people: Any, runs: list[Any]) -> None:
    tab = open_tab(people.carol)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = tab.open(f"{runs[1].page_path}/json")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Copied")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))

    assert (copied["uid"], copied["parameters"]) == (runs[1].uid, {"lr": "1e-3"})
    assert tab.troubles == []


def test_a_run_without_a_source_teaches(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob, width=390).open(f"{run.page_path}/snapshot")

    expect(page.get_by_role("heading", name="No snapshot")).to_be_visible()
