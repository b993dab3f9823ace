"""Which tests outside of this folder keep a promise too: at the border, without a studio that runs.

In the long form they run with the others and stand in the same table. A test is named by its file
and the beginning of its name.
"""

KEPT: dict[str, tuple[str, ...]] = {
    "P6 a batch sent again, at the border": (
        "tests/api/test_batches.py::test_a_batch_sent_again_is_answered",
        "tests/mlflow_api/test_log_points.py::test_a_request_sent_again_changes_nothing",
        "tests/metrics/test_ledger.py::test_what_was_acknowledged_is_stored_once",
    ),
    "P7 odd numbers by SDK, API and CSV": (
        "tests/live/test_odd_numbers.py::test_odd_numbers_come_back",
        "tests/mlflow_api/test_log_points.py::test_numbers_come_back_as_they_were_sent",
        "tests/metrics/test_chunks.py::test_numbers_survive_packing_bit_for_bit",
    ),
    "P11 busy is told with 503": (
        "tests/web/test_failing.py::test_a_locked_database_is_503",
        "tests/live/test_away.py::test_the_end_of_a_run_is_written_after_a_long_lock",
    ),
    "P12 a description saved by two at once": (
        "tests/runs/test_describing_at_once.py::test_",
        "tests/api/test_run_changes.py::test_a_stale_description_is_refused",
    ),
    "P12 a tag saved by two at once": ("tests/runs/test_tagging_at_once.py::test_",),
    "P12 a view saved by two at once": ("tests/custom_views/test_saving_at_once.py::test_",),
    "P17 windows and finds in long logs": (
        "tests/artifacts/test_log_lines.py::test_endless_lines_are_passed_by",
        "tests/artifacts/test_log_lines.py::test_a_file_behind_is_indexed_a_part",
        "tests/artifacts/test_log_pages.py::test_any_bytes_are_shown_in_pages_of_a_bounded",
    ),
    "P18 any bytes in a log": (
        "tests/artifacts/test_logs.py::test_any_bytes_are_kept_in_pieces",
        "tests/artifacts/test_ansi.py::test_",
        "tests/web/test_log_viewer.py::test_every_line_is_what_splitting_the_file_says",
        "tests/web/test_log_viewer.py::test_pages_of_very_long_lines_go_on",
    ),
    "P19 a log followed": (
        "tests/web/test_log_viewer.py::test_a_follower_sees_every_line_once",
        "tests/artifacts/test_logs.py::test_repeated_and_overlapping_appends",
    ),
    "P20 a thousand views": (
        "tests/custom_views/test_finding.py::test_a_list_of_a_thousand_views",
    ),
    "P20b half a character": (
        "tests/api/test_errors.py::test_",
        "tests/exports/test_formats.py::test_half_a_character_breaks_no_file",
        "tests/custom_views/test_stored.py::test_a_text_with_half_a_letter",
    ),
    "P21 nasty Markdown": (
        "tests/runs/test_markdown.py::test_hostile_",
        "tests/runs/test_markdown.py::test_a_nasty_text_is_rendered_in_time",
        "tests/runs/test_markdown.py::test_a_text_over_the_limit",
        "tests/runs/test_markdown.py::test_a_killed_worker_is_replaced",
        "tests/runs/test_markdown.py::test_a_stopped_worker_is_given_up",
    ),
    "P22 odd names are found again": (
        "tests/search/test_reference.py::test_",
        "tests/custom_views/test_gone.py::test_names_that_are_odd",
        "tests/api/test_run_changes.py::test_an_invisible_name_is_refused",
        "tests/web/test_run_files.py::test_",
    ),
    "P27 hostile archives and snapshots": (
        "tests/artifacts/test_snapshots.py::test_paths_no_worker_could_make",
        "tests/artifacts/test_snapshots.py::test_too_many_or_too_large",
        "tests/importers/test_uploads.py::test_hostile_archives_are_refused_soon",
        "tests/exports/test_archive.py::test_what_is_no_archive_is_refused",
        "tests/exports/test_archive.py::test_damage_and_hostile_lines",
        "tests/blobs/test_zipping.py::test_no_label_leads_out",
    ),
    "P28 trouble with a bucket": (
        "tests/blobs/test_bucket_trouble.py::test_",
        "tests/blobs/test_log_interleavings.py::test_",
        "tests/live/test_bucket.py::test_a_training_lives_through",
    ),
    "P29 purging frees rows and bytes": (
        "tests/artifacts/test_purging.py::test_",
        "tests/runs/test_keeping.py::test_a_program_that_still_writes_gets_404",
    ),
    "P30 a backup made under load": ("tests/operations/test_backup.py::test_",),
    "P30 a studio starts from a backup": ("tests/live/test_restored.py::test_",),
}


def promise_of(file: str, name: str) -> str | None:
    """The promise that this test of `file` keeps, None of others."""
    for promise, tests in KEPT.items():
        for test in tests:
            path, _, beginning = test.partition("::")
            if path == file and name.startswith(beginning):
                return promise
    return None
