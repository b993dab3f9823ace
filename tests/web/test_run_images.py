"""The tab Images: names and steps in the address, what is missing in words, bounded pages."""

import io

import pytest

from studio.artifacts.actions import put_artifact
from tests import make
from tests.browser import charting, picturing
from tests.web.pages import HTMX, read

pytestmark = pytest.mark.django_db


def get(client, run, *, htmx="", **query):
    headers = {**HTMX, "HX-Target": htmx} if htmx else {}
    return client.get(f"/w/lab/runs/{run.uid}/images", query, headers=headers)


def shown(answer) -> list[str]:
    """The words of the pictures that are shown."""
    return [own["alt"] for tag, own in read(answer).elements if tag == "img" and "alt" in own]


@pytest.fixture
def pictured(run):
    picturing.log_images(run, "samples", [0, 10, 20, 30])
    picturing.log_images(run, "weights", [0, 20])
    return run


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["samples, step 30", "weights, step 20"]),
        ({"step": "10"}, ["samples, step 10", "weights, step 0"]),
        ({"step": "29"}, ["samples, step 20", "weights, step 20"]),
        ({"step": "-5"}, ["samples, step 0", "weights, step 0"]),
        ({"step": "x"}, ["samples, step 30", "weights, step 20"]),
        ({"at": "0", "step": "30"}, ["samples, step 0", "weights, step 0"]),
        ({"at": "99"}, ["samples, step 30", "weights, step 20"]),
        ({"m": "weights", "step": "10"}, ["weights, step 0"]),
        ({"m": "nothing"}, []),
    ],
)
def test_one_step_moves_every_name_that_has_it(query, expected, pictured, bob_client) -> None:
    found = shown(get(bob_client, pictured, **query))

    assert found == [f"{words}, {pictured.display_name}" for words in expected]


def test_the_slider_asks_for_a_part_and_the_address_gets_its_step(pictured, bob_client) -> None:
    answer = get(bob_client, pictured, htmx="runs-images-shown", m="samples", at="1", step="30")

    page = read(answer)
    assert page.ids()[0] == "runs-images-shown"
    assert "images-form" not in page.ids()
    base = f"/w/lab/runs/{pictured.uid}/images"
    assert answer["HX-Push-Url"] == f"{base}?m=samples&step=10"
    assert page.one("a", id="images-earlier")["href"] == f"{base}?m=samples&step=0"
    assert page.one("a", id="images-later")["href"] == f"{base}?m=samples&step=20"
    assert page.one("a", id="images-newest")["href"] == f"{base}?m=samples"


def test_another_run_of_the_workspace_is_shown_beside(pictured, experiment, bob_client, people):
    other = make.run(experiment, display_name="the other")
    picturing.log_images(other, "samples", [0, 10])
    elsewhere = make.workspace("far", owner=people.bob)
    foreign = make.run(make.experiment(elsewhere, by=people.bob), by=people.bob)

    answer = get(bob_client, pictured, **{"m": "samples", "step": "20", "with": other.uid})
    name = pictured.display_name
    assert shown(answer) == [f"samples, step 20, {name}", "samples, step 10, the other"]
    assert "step 10, none at 20" in read(answer).text
    for uid in (foreign.uid, "nonsense", pictured.uid):
        answer = get(bob_client, pictured, **{"m": "samples", "with": uid})
        assert f"There is no other run “{uid}” in this workspace" in read(answer).text


def test_what_is_no_picture_says_so_in_words(run, bob_client) -> None:
    by = make.actor(run.submitter)
    put_artifact(run, "images/text.png", io.BytesIO(b"not a picture"), by=by)
    put_artifact(run, "images/empty.png", io.BytesIO(b""), by=by)
    for name in ("text", "empty", "gone"):
        picturing.log_paths(run, name, [0], [f"images/{name}.png"])

    text = read(get(bob_client, run)).text
    assert "images/text.png is no PNG, JPEG, GIF or WebP." in text
    assert "images/empty.png is empty or lost." in text
    assert "There is no file images/gone.png: deleted, or not here yet." in text


def test_news_come_with_the_next_image_and_the_end_of_the_run(pictured, bob_client) -> None:
    def poll():
        parts = [own for _, own in read(get(bob_client, pictured)).elements if "hx-get" in own]
        return parts[-1]["hx-get"]

    url = poll()
    headers = {**HTMX, "HX-Target": "runs-images-shown"}
    assert bob_client.get(url, headers=headers).status_code == 204
    picturing.log_images(pictured, "samples", [40])
    news = bob_client.get(url, headers=headers)
    assert shown(news)[0].startswith("samples, step 40")
    assert "HX-Push-Url" not in news
    assert "HX-Replace-Url" not in news


def test_five_thousand_images_make_a_small_page_of_few_queries(
    run, bob_client, django_assert_max_num_queries
) -> None:
    several = [charting.others(f"grid {i:04}", "image", [{"path": "a.png"}]) for i in range(2000)]
    paths = [{"path": f"images/long_{i}.png"} for i in range(3000)]
    charting.log(run, *several, charting.others("zoom", "image", paths))

    with django_assert_max_num_queries(24):
        whole = get(bob_client, run)
    assert len(whole.content) < 120_000
    assert "1,801 more, refine the search" in read(whole).text
    with django_assert_max_num_queries(24):
        long = get(bob_client, run, m="zoom", find="ZOO", step="1500")
    assert "1501 of 3,000 steps" in read(long).text
    assert len(long.content) < 44_000


def test_nobody_outside_sees_a_picture_and_a_run_without_any_says_how(
    pictured, experiment, dave_client, carol_client
) -> None:
    assert get(dave_client, pictured).status_code == 404
    assert len(shown(get(carol_client, pictured))) == 2
    assert "No images yet" in read(get(carol_client, make.run(experiment))).text
