"""Runs side by side: the page and its table."""

import re
from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.rows import all_rows, changed_tables
from tests.web.comparing import (
    HOSTILE,
    PAGE,
    chosen,
    columns,
    metric,
    names,
    of_row,
    page,
    three_runs,
)
from tests.web.pages import HTMX, read


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return three_runs(experiment)


def test_only_rows_that_differ_are_shown_until_all_are_asked_for(
    runs: Any, bob_client: Client
) -> None:
    few, all_ = page(bob_client, runs), page(bob_client, runs, only="all")

    assert {"lr", "quality", "loss", "Id"} <= set(names(few))
    assert "epochs" not in names(few)
    assert "epochs" in names(all_)
    assert "1 of 2 differs" in few.text
    assert few.one("a", id="compare-only")["aria-checked"] == "true"
    assert all_.one("a", id="compare-only")["aria-checked"] == "false"
    assert "only=all" in few.href(id="compare-only")
    assert "only=all" not in all_.href(id="compare-only")


def test_rows_that_differ_are_marked_among_all(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(PAGE, {"chosen": chosen(runs), "only": "all"})

    assert "differs: " in of_row(answer, "lr")
    assert "data-differs" in of_row(answer, "lr")
    assert "differs" not in of_row(answer, "epochs")


def test_a_run_without_a_value_has_a_dash(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(PAGE, {"chosen": chosen(runs)})

    assert re.findall(r'class="value">([^<]*)</span></td>', of_row(answer, "quality")) == [
        "–",
        "great",
        "great",
    ]


def test_the_least_and_the_greatest_of_a_metric_are_told_in_words(
    runs: Any, bob_client: Client
) -> None:
    row = of_row(bob_client.get(PAGE, {"chosen": chosen(runs)}), "loss")

    assert re.findall(r"hidden\">(\w+): </span>.*?\"value\">([\d.]+)<", row) == [
        ("least", "0.5"),
        ("greatest", "1"),
    ]


def test_the_value_of_metrics_is_chosen(runs: Any, bob_client: Client) -> None:
    found = page(bob_client, runs, stat="min")

    assert "loss" not in names(found)
    assert found.one("a", id="compare-stat-min")["aria-current"] == "true"
    assert "stat=max" in found.href(id="compare-stat-max")
    assert "stat" not in found.href(id="compare-stat-last")


def test_a_baseline_comes_first_and_numbers_tell_their_difference_to_it(
    runs: Any, bob_client: Client
) -> None:
    query = {"chosen": chosen(runs), "base": runs[1].uid}
    answer = bob_client.get(PAGE, query)

    assert columns(read(answer)) == [runs[i].uid for i in (1, 0, 2)]
    deltas = re.findall(r'class="delta">([^<]*)<', of_row(answer, "loss"))
    assert deltas == ["−0.25 (−33.3 %)", "+0.25 (+33.3 %)"]
    assert re.findall(r'<td class="([\w ]+)"', of_row(answer, "quality")) == [
        "base",
        "other none",
        "same",
    ]
    assert read(answer).one("button", id=f"compare-base-{runs[1].uid}")["aria-pressed"] == "true"


def test_the_difference_to_zero_has_no_per_cent(experiment: Any, bob_client: Client) -> None:
    runs = [make.run(experiment, parameters={"x": x}) for x in ("0", "2")]

    row = of_row(bob_client.get(PAGE, {"chosen": chosen(runs), "base": runs[0].uid}), "x")

    assert re.findall(r'class="delta">([^<]*)<', row) == ["+2"]


def test_numbers_that_are_none_have_no_difference(experiment: Any, bob_client: Client) -> None:
    values = ("1e308", "-1e308", "nan", "inf", "words", "")
    runs = [make.run(experiment, parameters={"x": x}) for x in values]
    metric(runs[0], "loss", last=0.5)
    metric(runs[1], "loss", last=None, last_text="NaN")

    answer = bob_client.get(PAGE, {"chosen": chosen(runs), "base": runs[0].uid})

    assert 'class="delta"' not in of_row(answer, "x")
    assert ">NaN<" in of_row(answer, "loss")
    assert 'class="delta"' not in of_row(answer, "loss")
    assert "extreme" not in of_row(answer, "loss")


@pytest.mark.parametrize(
    ("make_", "order", "base"),
    [
        ("right:0", [1, 0, 2], None),
        ("left:2", [0, 2, 1], None),
        ("left:0", [0, 1, 2], None),
        ("without:1", [0, 2], None),
        ("base:2", [2, 0, 1], 2),
        ("up:1", [0, 1, 2], None),
        ("left:nobody", [0, 1, 2], None),
    ],
)
def test_a_column_is_moved_removed_and_made_the_baseline(
    make_: str, order: list[int], base: int | None, runs: Any, bob_client: Client
) -> None:
    what, _, which = make_.partition(":")
    uid = runs[int(which)].uid if which.isdigit() else which
    query = {"chosen": chosen(runs), "make": f"{what}:{uid}"}

    answer = bob_client.get(PAGE, query)
    part = bob_client.get(PAGE, query, headers=HTMX)

    expected = f"{PAGE}?chosen={chosen(runs[i] for i in order)}"
    expected += f"&base={runs[base].uid}" if base is not None else ""
    assert answer.status_code == 302
    assert answer["Location"] == part["HX-Push-Url"] == expected
    assert columns(read(part)) == [runs[i].uid for i in order]


def test_the_baseline_stays_in_front_until_it_is_removed(runs: Any, bob_client: Client) -> None:
    query = {"chosen": chosen(runs), "base": runs[0].uid}
    found = read(bob_client.get(PAGE, query))

    assert not found.ids(f"compare-left-{runs[1].uid}")
    assert not found.ids(f"compare-right-{runs[0].uid}")
    assert found.ids(f"compare-left-{runs[2].uid}")
    for make_ in (f"base:{runs[0].uid}", f"without:{runs[0].uid}"):
        assert "base" not in bob_client.get(PAGE, {**query, "make": make_})["Location"]


def test_the_page_turns_into_an_invitation_when_one_run_is_left(
    runs: Any, bob_client: Client
) -> None:
    query = {"chosen": chosen(runs[:2]), "make": f"without:{runs[0].uid}"}

    part = bob_client.get(PAGE, query, headers=HTMX)

    assert part["HX-Redirect"] == f"{PAGE}?chosen={runs[1].uid}"


def test_more_runs_cost_no_more_queries(
    runs: Any, experiment: Any, bob_client: Client, django_assert_num_queries: Any
) -> None:
    more = [make.run(experiment, parameters={"lr": str(i)}) for i in range(20)]
    page(bob_client, runs)

    for some in (runs, [*runs, *more]):
        with django_assert_num_queries(18):
            page(bob_client, some)


def test_names_are_searched_on_the_server(runs: Any, bob_client: Client) -> None:
    assert names(page(bob_client, runs, find="LR")) == ["lr"]
    nothing = page(bob_client, runs, find="nothing like it")
    assert "No name holds “nothing like it”" in nothing.text
    assert nothing.one("input", id="compare-find")["value"] == "nothing like it"


def test_a_section_folds_by_its_link_and_keeps_its_count(runs: Any, bob_client: Client) -> None:
    link = page(bob_client, runs).href(id="compare-fold-parameters")
    folded = read(bob_client.get(link))

    assert "lr" not in names(folded)
    assert "1 of 2 differs" in folded.text
    assert folded.one("a", id="compare-fold-parameters")["aria-expanded"] == "false"
    assert "folded" not in folded.href(id="compare-fold-parameters")


def test_many_rows_are_cut_and_shown_on_demand(experiment: Any, bob_client: Client) -> None:
    n = 2_000
    runs = [
        make.run(experiment, parameters={f"p{at}": str(i) for at in range(n + 3)}) for i in (1, 2)
    ]

    found = page(bob_client, runs)

    assert len([name for name in names(found) if name.startswith("p")]) == n
    assert "3 more" in found.text
    whole = read(bob_client.get(found.href(id="compare-whole-parameters")))
    assert "3 more: find them by name" in whole.text


def test_a_part_comes_with_the_title_and_the_toolbar(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(PAGE, {"chosen": chosen(runs), "find": "lr"}, headers=HTMX)

    ids = read(answer).ids("compare-")
    assert ids[0] == "compare-results"
    assert {"compare-head", "compare-toolbar"} <= set(ids)
    assert b"<html" not in answer.content


@pytest.mark.parametrize("text", ["", ",", "nobody", "\0", "<b>", "a" * 3_000, "%00,../.."])
def test_fewer_than_two_runs_are_an_invitation(
    text: str, run: Any, bob_client: Client, workspace: Any
) -> None:
    for query in (text, f"{run.uid},{text}", f"{run.uid},{run.uid}"):
        answer = bob_client.get(PAGE, {"chosen": query})

        assert answer.status_code == 200
        assert "Choose at least two runs" in read(answer).text
        assert b"<table" not in answer.content


def test_more_than_100_runs_are_cut_and_it_is_told(experiment: Any, bob_client: Client) -> None:
    runs = [make.run(experiment) for _ in range(101)]

    found = page(bob_client, runs)

    assert columns(found) == [run.uid for run in runs[:100]]
    assert "101 runs are chosen. The first 100 are compared" in found.text


def test_runs_that_are_not_there_are_left_out_alike_whether_foreign_deleted_or_never_made(
    runs: Any, people: Any, bob_client: Client
) -> None:
    other = make.workspace("elsewhere", owner=people.dave)
    foreign = make.run(
        make.experiment(other, by=people.dave), by=people.dave, display_name="secret-name"
    )
    gone = make.run(runs[0].experiment, display_name="deleted-name")
    actions.complete_run(gone, by=make.actor(people.bob))
    actions.keeping.delete_run(gone, by=make.actor(people.alice))

    said = []
    for uid in (foreign.uid, gone.uid, "0" * 32, "a b"):
        query = {"chosen": f"{chosen(runs)},{uid}", "base": uid, "find": "lr"}
        answer = bob_client.get(PAGE, query)
        assert columns(read(answer)) == [run.uid for run in runs]
        assert "One of the chosen runs is not in this workspace, or deleted." in read(answer).text
        assert not re.search(rb"(secret|deleted)-name", answer.content)
        said.append(re.sub(rb"[A-Za-z0-9]{64}", b"", answer.content))
        file = bob_client.get(f"{PAGE}/file", {"a": runs[0].uid, "b": uid, "path": "x"})
        assert file.status_code == 404
    assert len(set(said)) == 1


def test_everybody_of_the_workspace_may_look_and_nobody_else(
    experiment: Any, people: Any, client: Client
) -> None:
    sources = [snapshot(experiment.workspace, {"a.py": data}) for data in (b"1\n", b"2\n")]
    runs = [make.run(experiment) for _ in sources]
    for run, source in zip(runs, sources, strict=True):
        Run.objects.filter(pk=run.pk).update(snapshot=source.digest)
    addresses = [
        f"{PAGE}?chosen={chosen(runs)}",
        f"{PAGE}/table?chosen={chosen(runs)}&format=csv",
        f"{PAGE}/file?a={runs[0].uid}&b={runs[1].uid}&path=a.py",
    ]
    before = all_rows()

    for address in addresses:
        for who in (people.alice, people.bob, people.carol):
            assert make.client(who).get(address).status_code == 200
        assert make.client(people.dave).get(address).status_code == 404
        assert client.get(address).status_code == 302
        assert make.client(people.bob).post(address).status_code == 405
    assert not changed_tables(before)


def test_hostile_names_and_values_are_literal(
    experiment: Any, people: Any, bob_client: Client
) -> None:
    runs = [
        make.run(
            experiment,
            display_name=f"{HOSTILE}{i}",
            tags={HOSTILE: f"{HOSTILE}{i}"},
            parameters={HOSTILE: f"{HOSTILE}{i}"},
            properties={HOSTILE: f"{HOSTILE}{i}"},
            definition={HOSTILE: i, "packages": {HOSTILE: i}},
        )
        for i in (1, 2)
    ]
    for run in runs:
        metric(run, HOSTILE, last_text=f"{HOSTILE}{run.pk}")
        actions.describe_run(run, f"{HOSTILE}{run.pk}", by=make.actor(people.bob))

    found = page(bob_client, runs, find="<IMG")

    assert "img" not in {tag for tag, _ in found.elements}
    assert names(found).count(HOSTILE) == 5
    assert f"Package {HOSTILE}" in names(found)
    assert "49" not in " ".join(names(found))
    answer = bob_client.get(f"{PAGE}/table", {"chosen": chosen(runs), "format": "md"})
    assert "<img" not in answer.content.decode().replace(r"\<img", "")
    assert HOSTILE.split("|")[0] + "|" not in answer.content.decode()


# From a list


def test_ticked_runs_of_a_list_are_sent_on_to_their_comparison(
    runs: Any, carol_client: Client
) -> None:
    form = {"run": [runs[2].uid, runs[0].uid], "runs": runs[1].uid}

    answer = carol_client.post(f"{PAGE}/chosen", form)

    assert answer.status_code == 303
    assert answer["Location"] == f"{PAGE}?chosen={chosen([runs[2], runs[0], runs[1]])}"


def test_all_that_match_are_compared_when_they_fit(runs: Any, bob_client: Client) -> None:
    form = {"all": "1", "list": "?q=param.lr>0.005", "back": "/w/lab/runs"}

    answer = bob_client.post(f"{PAGE}/chosen", form)

    assert answer["Location"] == f"{PAGE}?chosen={chosen(runs[:0:-1])}"


def test_more_runs_than_fit_lead_back_to_the_list_with_a_word(
    experiment: Any, bob_client: Client
) -> None:
    runs = [make.run(experiment) for _ in range(101)]

    for form in ({"all": "1"}, {"runs": chosen(runs)}):
        back = {"list": "?q=status:Running", "back": "/w/lab/runs"}
        answer = bob_client.post(f"{PAGE}/chosen", {**form, **back}, follow=True)

        assert answer.redirect_chain == [("/w/lab/runs?q=status:Running", 303)]
        assert "More than 100 runs do not fit side by side." in read(answer).text


@pytest.mark.parametrize("form", [{}, {"run": "no body"}, {"all": "1", "list": "?q=a:("}])
def test_a_form_that_names_no_runs_leads_back_with_a_word(
    form: dict[str, str], run: Any, bob_client: Client
) -> None:
    answer = bob_client.post(f"{PAGE}/chosen", form, follow=True)

    assert answer.redirect_chain[0] == ("/w/lab/runs", 303)
    assert 'class="toast' in answer.content.decode()


def test_the_bar_of_a_list_offers_to_compare(runs: Any, carol_client: Client) -> None:
    button = read(carol_client.get("/w/lab/runs")).one("button", id="runs-compare")

    assert button["formaction"] == f"{PAGE}/chosen"
    assert (button["data-needs"], button["data-most"]) == ("2", "100")


def test_the_child_runs_of_a_run_are_compared_from_their_tab(
    experiment: Any, run: Any, bob_client: Client
) -> None:
    address = f"/w/lab/runs/{run.uid}/children"
    first = make.run(experiment, parent=run)
    assert "Compare these" not in read(bob_client.get(address)).text
    second = make.run(experiment, parent=run)

    found = read(bob_client.get(address))

    assert "Compare these 2" in found.text
    links = [
        own["href"] for tag, own in found.elements if own.get("href", "").startswith(f"{PAGE}?")
    ]
    assert links == [f"{PAGE}?chosen={chosen([second, first])}"]
