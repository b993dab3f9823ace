"""The 49 things a person wants to do, and the test that shows each of them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
A, B = "tests/live/test_scenarios_a.py", "tests/live/test_scenarios_b.py"
ARTICLE = "tests/live/test_article.py"
SOURCES = "tests/sdk/test_sources.py"
FAMILY = "tests/sdk/test_family_and_waiting.py"
BROWSER, JOURNEY = "tests/browser", "tests/live/test_journey.py"

SHOWN = {
    1: f"{SOURCES}::test_the_config_is_found_in_a_parent_folder "
    f"{SOURCES}::test_without_any_config_the_searched_folder_is_named",
    2: f"{A}::test_an_experiment_is_made_once_and_its_name_is_checked",
    3: f"{A}::test_an_interactive_run_shows_itself_while_it_runs_and_ends",
    4: f"{A}::test_an_interactive_run_shows_itself_while_it_runs_and_ends",
    5: f"{A}::test_an_interactive_run_shows_itself_while_it_runs_and_ends",
    6: f"{A}::test_an_interactive_run_shows_itself_while_it_runs_and_ends",
    7: f"{A}::test_a_with_block_ends_the_run_by_how_it_ends",
    8: f"{A}::test_a_with_block_ends_the_run_by_how_it_ends",
    9: f"{A}::test_a_script_is_submitted_followed_and_its_sources_come_back",
    10: f"{A}::test_a_script_is_submitted_followed_and_its_sources_come_back",
    11: f"{A}::test_a_script_is_submitted_followed_and_its_sources_come_back",
    12: f"{A}::test_a_failed_child_leaves_its_parent_completed",
    13: f"{A}::test_properties_stay_tags_change_and_both_find_the_run",
    14: f"{A}::test_properties_stay_tags_change_and_both_find_the_run",
    15: f"{A}::test_properties_stay_tags_change_and_both_find_the_run",
    16: f"{ARTICLE}::test_children_are_made_in_a_script_and_here",
    17: f"{A}::test_children_complete_and_reach_their_root",
    18: f"{FAMILY}::test_the_misuses_of_create_children_have_their_own_errors",
    19: f"{ARTICLE}::test_a_submitted_run_is_cancelled_and_another_marked_as_failed",
    20: f"{A}::test_a_submitted_run_is_marked_as_failed_with_a_reason",
    21: f"{A}::test_a_script_is_submitted_followed_and_its_sources_come_back",
    22: f"{ARTICLE}::test_a_parent_submits_children_which_reach_their_root",
    23: f"{A}::test_a_failed_child_leaves_its_parent_completed "
    "tests/web/test_child_runs.py::test_the_tab_lists_what_the_filter_of_all_runs_lists",
    24: f"{A}::test_children_complete_and_reach_their_root "
    f"{ARTICLE}::test_a_parent_submits_children_which_reach_their_root",
    25: f"{A}::test_children_complete_and_reach_their_root",
    26: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    27: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    28: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    29: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    30: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    31: f"{B}::test_45_000_cells_of_rows_come_back_in_order",
    32: f"{B}::test_files_go_up_and_come_down_to_where_one_wants",
    33: f"{A}::test_an_interactive_run_shows_itself_while_it_runs_and_ends",
    34: f"{B}::test_every_kind_of_metric_comes_back_as_it_was_logged",
    35: f"{A}::test_properties_stay_tags_change_and_both_find_the_run",
    36: f"{BROWSER}/test_compare_charts.py::test_common_metrics_are_drawn_below_the_table "
    "tests/web/test_run_groups.py::test_each_group_leads_to_its_runs",
    44: "tests/web/test_run_filters.py::test_a_filter_is_added_by_pages_alone "
    f"{JOURNEY}::test_a_query_narrows_the_list_and_a_wrong_one_says_where",
    45: f"{BROWSER}/test_views.py::test_save_share_edit_apart_conflict_merge_and_restore "
    f"{BROWSER}/test_views.py::test_zoomed_charts_hidden_lines_and_ticks_are_saved_and_open_elsewhere",
    46: f"{JOURNEY}::test_the_description_is_written_with_a_preview "
    f"{BROWSER}/test_describing.py::test_images_are_pasted_dropped_and_chosen "
    f"{BROWSER}/test_describing.py::test_hostile_texts_run_nothing_and_ask_nobody",
    47: f"{JOURNEY}::test_watch_tag_describe_and_cancel_a_run "
    "tests/web/test_run_list.py::test_a_chip_filters_the_list_to_its_tag",
    48: f"{JOURNEY}::test_watch_tag_describe_and_cancel_a_run "
    "tests/web/test_run_actions.py::test_cancelling_a_finished_run_says_so_and_changes_nothing "
    "tests/web/test_run_steps.py::test_cancel_tells_how_many_steps_are_unfinished_and_ends_them",
    49: "tests/faults/test_p26_telling.py::test_a_script_that_fails_is_told_within_a_minute",
}
# Shown elsewhere, or not at all, and why.
OUTSIDE = {
    **dict.fromkeys(range(37, 44), "the command line has its tests in tests/live/test_cli.py"),
}


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("number", SHOWN)
def test_a_scenario_is_shown_by_a_test_there_is(number: int) -> None:
    for test in SHOWN[number].split():
        path, _, name = test.partition("::")
        assert name in functions_of(path), test
        if path in (A, B):
            numbers = (ROOT / path).read_text().split(f"def {name}(")[1].split("\ndef ")[0]
            told = [line for line in numbers.splitlines() if line.strip().startswith("# ")]
            assert any(str(number) in line.replace(",", " ").split() for line in told), test


def test_each_of_the_49_is_in_the_table_once() -> None:
    assert sorted([*SHOWN, *OUTSIDE]) == list(range(1, 50))
