"""Metrics and images of a running run in a real browser: nothing that comes disturbs the reader."""

import io
import re

import pytest
from playwright.sync_api import expect

from studio.artifacts.actions import put_artifact
from tests import make
from tests.browser import charting, picturing
from tests.browser.looking import broken_rules

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_news_keep_zoom_and_ticks_while_a_run_goes_on(run, people, open_tab) -> None:
    charting.log(run, charting.scalars("loss", [3.0, 2.0, 1.5, 1.2]), charting.scalars("lr", [1.0]))
    tab = open_tab(people.bob)
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=loss")
    page.locator(".js-plotly-plot .trace").first.wait_for(state="attached")
    page.get_by_role("button", name="Zoom in on loss").click()
    ends = "document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range"
    zoomed = page.evaluate(ends)
    page.get_by_role("checkbox", name="lr").focus()

    charting.log(
        run,
        *[charting.scalars(name, [0.125], first=2) for name in ("loss", "lr")],
        charting.scalars("extra", [1.0]),
    )
    expect(page.locator("[data-last='lr']")).to_have_text("0.125")
    expect(page.locator("[data-more-names]")).to_have_text("1 new metric: list them")
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').data[0].y.at(-1) < 1")
    assert page.evaluate(ends) == zoomed
    expect(page.get_by_role("checkbox", name="lr")).to_be_focused()
    expect(page.get_by_role("checkbox", name="loss")).to_be_checked()
    assert tab.troubles == []


def test_columns_lines_and_raw_documents_on_the_cards(run, people, open_tab) -> None:
    charting.log_every_kind(run)
    rows = [{"a": i, "b": -i, "c": i * i} for i in range(5)]
    future = {**charting.residuals_document(), "schema_version": "9.0"}
    charting.log(
        run, charting.others("wide", "table", rows), charting.others("odd", "residuals", [future])
    )
    tab = open_tab(people.bob, theme="dark")
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=wide&m=table+of+accuracy&m=odd")

    expect(page.get_by_role("region", name="odd as JSON")).to_contain_text('"9.0"')
    page.get_by_role("combobox", name="Up, wide").select_option("c")
    expect(page).to_have_url(re.compile(r"x\.wide=a&y\.wide=c$"))
    title = "() => [...document.querySelectorAll('.ytitle')].some((one) => one.textContent === 'c')"
    page.wait_for_function(title)
    lines = page.get_by_role("group", name="Lines shown in table of accuracy · ROC")
    lines.get_by_role("checkbox", name=re.compile("^birch")).uncheck()
    hidden = "() => document.querySelector('[data-figure-url*=roc]').data[1].visible"
    page.wait_for_function(f"{hidden} === 'legendonly'")
    assert broken_rules(page) == []
    assert tab.troubles == []


def test_images_go_step_by_step_by_keyboard_and_live(run, people, open_tab) -> None:
    picturing.log_images(run, "samples", [0, 10, 20])
    cut_short = io.BytesIO(picturing.png(1)[:20])
    put_artifact(run, "images/cut.png", cut_short, by=make.actor(run.submitter))
    picturing.log_paths(run, "broken", [10], ["images/cut.png"])
    tab = open_tab(people.bob)
    page = tab.open(f"/w/lab/runs/{run.uid}/images")
    slider = page.get_by_role("slider", name="Step")
    picture = page.get_by_role("img", name=re.compile("^samples"))

    expect(page.get_by_text("The picture cannot be drawn")).to_be_visible()
    slider.press("ArrowLeft")
    expect(picture).to_have_accessible_name(re.compile("^samples, step 10,"))
    expect(page).to_have_url(re.compile(r"m=samples&step=10$"))
    expect(slider).to_be_focused()
    picturing.log_images(run, "samples", [30])
    expect(page.get_by_text("2 of 4 steps")).to_be_visible()
    page.get_by_role("spinbutton", name="Step").fill("30")
    page.get_by_role("spinbutton", name="Step").press("Enter")
    expect(picture).to_have_accessible_name(re.compile("^samples, step 30,"))
    page.get_by_role("checkbox", name="broken").uncheck()
    expect(page).to_have_url(re.compile(r"\?m=samples&step=30$"))
    assert tab.troubles == []
