"""What the README claims: each sentence stands there, and a test or a measured row backs it."""

import re

import pytest

from tests.architecture.sources import ROOT

# (words of the README, what backs them: "file::test", or "bench: a row of benchmarks/RESULTS.md").
CLAIMS = (
    (
        "a Python SDK",
        "tests/live/test_sdk_docs.py::test_the_examples_of_the_guide_run_in_their_order",
    ),
    (
        "search, describe, tag and cancel",
        "tests/live/test_journey.py::test_watch_tag_describe_and_cancel_a_run",
    ),
    (
        "starts everything, prints the address and a password",
        "tests/live/test_main_job.py::test_the_page_answers_and_asks_to_sign_in",
    ),
    (
        "Ctrl-C stops it",
        "tests/live/test_main_job.py::test_ctrl_c_leaves_no_process_and_a_second_start_keeps_everything",
    ),
    (
        "with real training runs on data sets",
        "tests/live/test_demo.py::test_every_demo_run_really_runs_and_ends_as_foreseen",
    ),
    (
        "this works with nothing configured",
        "tests/live/test_main_job.py::test_the_six_lines_work_with_nothing_configured",
    ),
    (
        "Submit a script to the studio's own worker",
        "tests/live/test_main_job.py::test_a_submitted_script_runs_logs_and_keeps_its_outputs",
    ),
    (
        "watch or cancel it on its page",
        "tests/live/test_main_job.py::test_cancel_stops_the_whole_tree_and_says_who",
    ),
    (
        "gives the script packages of its own",
        "tests/live/test_environments.py::test_an_environment_is_built_once_and_found_by_the_next_run",
    ),
    (
        "The same from a shell",
        "tests/live/test_cli_docs.py::test_every_line_that_people_may_copy_runs",
    ),
    (
        "with `curl` lines to begin with",
        "tests/live/test_api_docs.py::test_the_lines_of_the_page_run_in_their_order",
    ),
    (
        "by words and conditions",
        "tests/search/test_docs.py::test_every_key_operator_and_flag_has_an_example_on_the_page",
    ),
    (
        "*Explain* tells what each of them removes",
        "tests/search/test_explain.py::test_each_pill_says_how_many_runs_it_alone_keeps_out",
    ),
    (
        "for any tag, parameter or metric",
        "tests/browser/test_run_columns.py::test_columns_are_found_ticked_moved_and_applied",
    ),
    ("several columns sort", "tests/search/test_docs.py::test_an_order_of_the_page_parses"),
    (
        "groups with mean, least and most",
        "tests/web/test_run_groups.py::test_a_shown_metric_is_summed_up",
    ),
    (
        "parallel coordinates, contours",
        "tests/browser/test_list_charts.py::test_every_kind_is_drawn_under_the_real_content_policy",
    ),
    (
        "with their charts and the best of them",
        "tests/browser/test_child_runs.py::test_a_brush_filters_a_sweep_and_its_best_run_opens",
    ),
    (
        "**Logs** of any size",
        "tests/artifacts/test_log_pages.py::test_any_bytes_are_shown_in_pages_of_a_bounded_size",
    ),
    (
        "text found by ripgrep",
        "tests/browser/test_log_find.py::test_hits_are_streamed_walked_and_kept_in_the_address",
    ),
    (
        "links to lines",
        "tests/browser/test_log_viewer.py::test_a_link_to_lines_opens_there_in_every_theme_and_width",
    ),
    (
        "used of its machines beside them",
        "tests/browser/test_moments.py::test_a_spike_leads_to_the_machine_and_to_the_line_of_the_log",
    ),
    (
        "as graphs of steps that wait for each other",
        "tests/browser/test_pipelines.py::test_a_click_on_a_step_shows_its_log_beside_the_live_graph",
    ),
    (
        "2 to 100 runs side by side",
        "tests/browser/test_compare.py::test_ticked_runs_are_compared_from_the_bar_of_the_list",
    ),
    (
        "two also line by line in their source",
        "tests/web/test_compare_two.py::test_a_file_is_shown_line_by_line",
    ),
    ("tag (with Undo)", "tests/browser/test_bulk.py::test_from_a_tick_to_a_tag_and_back"),
    ("delete to a trash", "tests/browser/test_bulk.py::test_the_trash_gives_back_and_purges"),
    (
        "**Import** histories",
        "tests/importers/test_storing.py::test_a_second_import_changes_nothing",
    ),
    (
        "as CSV, JSON Lines or Parquet",
        "tests/exports/test_formats.py::test_parquet_has_the_values_of_the_list",
    ),
    (
        "as a ZIP that imports",
        "tests/exports/test_archive.py::test_out_and_in_and_out_again_is_the_same",
    ),
    (
        "The address of a page is its whole state",
        "tests/web/test_run_list_state.py::test_every_link_is_a_page_for_everybody_and_changes_nothing",
    ),
    (
        "`?` shows the keys",
        "tests/browser/test_list_keys.py::test_the_sheet_lists_the_keys_and_g_p_opens_pipelines",
    ),
    (
        "The default needs no other service",
        "tests/live/test_main_job.py::test_the_six_lines_work_with_nothing_configured",
    ),
    (
        "switch to PostgreSQL and to Redis or RabbitMQ",
        "tests/faults/test_two_hosts.py::test_a_cancel_reaches_the_machine_that_runs_it",
    ),
    (
        "any of them can serve a compute",
        "tests/faults/test_two_hosts.py::test_what_a_dead_machine_ran_is_told_and_what_waited_runs_on_the_other",
    ),
    (
        "a token for training code elsewhere",
        "tests/live/test_main_job.py::test_createtoken_prints_only_the_token",
    ),
    ("How fast it is, and where it misses its targets", "bench: memory, web + worker idle"),
    (
        "All settings are environment variables",
        "tests/architecture/test_settings_docs.py::test_every_variable_read_is_documented",
    ),
)


def readme() -> str:
    """Its words, one blank between two of them."""
    return " ".join((ROOT / "README.md").read_text().split())


@pytest.mark.parametrize(("words", "backing"), CLAIMS, ids=[words for words, _ in CLAIMS])
def test_a_claim_stands_there_and_is_backed(words: str, backing: str) -> None:
    assert words in readme(), "the claim is gone, or said otherwise: change the table with it"
    kind, _, row = backing.partition("bench: ")
    if not kind:
        rows = (ROOT / "benchmarks" / "RESULTS.md").read_text()
        assert re.search(rf"^\| {re.escape(row)} \|", rows, re.MULTILINE)
        return
    path, _, name = backing.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_every_line_of_what_people_can_do_is_claimed() -> None:
    """A new line below “Look at runs” needs a row in the table."""
    text = (ROOT / "README.md").read_text()
    lines = re.findall(r"^- .*(?:\n  .*)*", text.partition("## Look at runs")[2], re.MULTILINE)
    lines = [" ".join(line.split()) for line in lines]

    assert len(lines) >= 8
    assert [line for line in lines if not any(words in line for words, _ in CLAIMS)] == []
