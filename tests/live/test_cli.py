"""The command line against a real studio with a real worker: scenarios 37 to 43."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Experiment
from tests.cli.running import Done, studio
from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.waiting import wait_until

pytestmark = pytest.mark.live

WAITING = """
import time
for i in range(1200):
    print("tick", i, flush=True)
    time.sleep(0.1)
"""


def found(done: Done) -> Any:
    assert done.code == 0, done.err
    return json.loads(done.out)


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The program itself, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "studio.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interactive(studio: Studio, name: str, **tags: str) -> Any:
    run = Experiment(studio.workspace, name).start_logging(snapshot_directory=None)
    run.set_tags(tags)
    run.complete()
    return run


def test_login_keeps_a_token_that_only_its_person_reads(
    shared_studio: Studio, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "config" / "studio" / "credentials.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    assert found(studio("whoami")) == {
        "url": shared_studio.url,
        "user": "admin",
        "workspace_name": "default",
        "role": "owner",
        "scope": "admin",
        "experiment_name": None,
        "version": "0.1.0",
    }
    wrong = studio("login", shared_studio.url, input="studio_wrong\n")
    assert wrong.code == 1
    assert f"Create one on {shared_studio.url}/account" in wrong.err
    assert found(studio("logout"))["forgotten"] is True
    assert "No studio is configured" in studio("whoami").err
    lacking = studio("whoami", "--url", shared_studio.url, STUDIO_TOKEN="studio_wrong")
    assert (lacking.code, lacking.err.count("\n")) == (1, 1)
    assert "Log in: studio login URL" in lacking.err


def test_a_folder_is_attached_and_keeps_what_was_edited(folder: Path) -> None:
    done = studio("folder", "attach", "-w", "default", "-g", "myresourcegroup")

    written = [".studio/config.json", ".studio/local.runconfig", ".studio/venv.runconfig"]
    assert found(done)["files_written"] == [*written, ".studioignore"]
    assert found(done)["experiment_name"] == "project"
    assert (folder / ".studio" / "config.json").stat().st_mode & 0o777 == 0o600
    assert "token" not in json.loads((folder / ".studio" / "config.json").read_text())
    (folder / ".studio" / "local.runconfig").write_text("script: edited.py\n")
    again = found(studio("folder", "attach", "-w", "default", "-e", "other"))
    assert again["files_written"] == [".studio/config.json"]
    assert (folder / ".studio" / "local.runconfig").read_text() == "script: edited.py\n"
    below = folder / "a" / "b"
    assert found(studio("whoami", "--path", str(below)))["experiment_name"] == "other"
    refused = studio("folder", "attach", "-w", "nowhere")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "There is no workspace “nowhere”" in refused.err
    assert studio("folder", "attach", "--path", "train.py").code == 1
    assert found(studio("folder", "attach", "--path", "new/Größe 1"))["experiment_name"] == "Gr-e-1"


def test_a_script_is_submitted_and_its_log_streamed(attached: Path) -> None:
    (attached / ".studio" / "sklearn.runconfig").write_text(
        "script: other.py\narguments: [--never]\nspark: {a: 1}\n"
        "environmentVariables: {STAGE: dev}\n"
    )

    line = "run submit-script -c sklearn -e testexperiment train.py --lr 1e-3 -o json"
    done = studio(*line.split())

    assert done.code == 0, done.err
    assert done.out == "training --lr 1e-3 -o json dev\n"
    assert "note: sklearn.runconfig: without a meaning here: spark (line 3)" in done.err
    assert re.search(r"Run \w+ is Completed", done.err)
    newest = found(studio("run", "list", "-e", "testexperiment", "--last", "1"))[0]
    assert (newest["script_name"], newest["arguments"]) == (
        "train.py",
        ["--lr", "1e-3", "-o", "json"],
    )


def test_a_failed_script_is_4_and_says_why(attached: Path) -> None:
    done = studio("run", "submit-script", "--query", "status", "-o", "tsv", "train.py", "--fail")

    assert done.code == 4
    assert done.out == "Failed\n"
    assert "ValueError: no data" in done.err
    last = done.err.splitlines()[-1]
    assert re.fullmatch(r"studio: run (\w+) is Failed: .*See: studio run show -r \1", last)


def test_async_gives_the_run_at_once_and_its_log_is_followed_later(
    shared_studio: Studio, attached: Path
) -> None:
    write_script(attached, WAITING, "slow.py")
    run_id = studio(
        *("run", "submit-script", "--async", "--query", "run_id", "-o", "tsv"),
        *("--display-name", "slow one", "--tag", "kind=test", "--target", "local", "slow.py"),
    ).out.strip()
    run = shared_studio.workspace.get_run(run_id)
    assert (run.display_name, run.tags) == ("slow one", {"kind": "test"})
    status_of(run, "Running")
    wait_until(lambda: b"tick 3\n" in run.read_log(), 20, "a log that is under way")

    process = started(attached, "run", "monitor-logs", "-r", run_id)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert lines == [f"tick {i}\n" for i in range(8)]
    assert process.returncode == 130
    assert err == (
        f"studio: stopped following; the run goes on. Cancel it: studio run cancel -r {run_id}\n"
    )
    assert run.get_status() == "Running"
    canceled = found(studio("run", "cancel", "-r", run_id, "--reason", "seen", "--kill", "--wait"))
    assert (canceled["status"], canceled["cancel_request"]["reason"]) == ("Canceled", "seen")
    followed = studio("run", "monitor-logs", "-r", run_id)
    assert (followed.code, followed.out.startswith("tick 0\n")) == (4, True)
    listed = found(studio("run", "list", "--status", "canceled", "--query", "[].run_id"))
    assert run_id in listed
    assert found(studio("run", "show", "-r", run_id))["status"] == "Canceled"


def test_cancelling_a_finished_run_says_so_and_changes_nothing(
    shared_studio: Studio, folder: Path
) -> None:
    run = interactive(shared_studio, "cli-finished")

    done = studio("run", "cancel", "-r", run.id, "-w", "default", "-e", "cli-finished", "--wait")

    assert found(done)["status"] == "Completed"
    assert done.err == "note: The run is already Completed. Its status stays.\n"


def test_logs_come_in_the_tree_of_the_page(attached: Path) -> None:
    run_id = found(studio("run", "submit-script", "-o", "json", "train.py"))["run_id"]

    done = studio("run", "download-logs", "-r", run_id, "-d", "out")

    files = {Path(file).relative_to(Path("out").resolve()) for file in found(done)["files"]}
    assert files == {Path("logs/more/steps.txt"), Path("logs/output.txt")}
    assert Path("out/logs/output.txt").read_text() == "training \n"
    Path("file").write_text("")
    refused = studio("run", "download-logs", "-r", run_id, "-d", "file")
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_the_list_is_newest_first_says_when_there_are_more_and_filters(
    shared_studio: Studio, folder: Path
) -> None:
    runs = [
        interactive(shared_studio, "cli-list", quality="good run" if i % 2 else "bad", n=str(i))
        for i in range(12)
    ]
    runs[3].tag("flag", None)
    child = runs[0].child_run()
    child.complete()
    ids = [run.id for run in reversed(runs)]

    def listed(*words: str) -> Done:
        return studio("run", "list", "-e", "cli-list", "--query", "[].run_id", *words)

    first = listed()
    assert found(first) == ids[:10]
    assert first.err == "note: there are more than these 10: --last N shows more\n"
    assert (found(listed("--last", "12")), listed("--last", "12").err) == (ids, "")
    assert found(listed("--last", "99", "--tags", "quality=good run")) == ids[::2]
    assert found(listed("--tags", "flag")) == [runs[3].id]
    assert found(listed("--tags", "quality=bad", "--filter", "tag.n:0 or tag.n:2")) == ids[9::2]
    assert found(listed("--status", "failed", "--status", "CANCELED")) == []
    assert found(listed("--parent-run-id", runs[0].id)) == [child.id]
    assert child.id in found(listed("--include-children"))
    assert found(studio("run", "list", "--last", "1", "--query", "[].run_id")) == ids[:1]
    wrong = listed("--filter", "status:(")
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
    assert "For example: " in wrong.err
    unseen = studio("run", "submit-script", "-w", "nowhere", "-e", "x", "--async", "train.py")
    assert (unseen.code, unseen.err) == (
        1,
        "studio: There is no workspace “nowhere” that you can see. See what there is: "
        "studio whoami\n",
    )
    none = studio("run", "list", "-e", "nowhere")
    assert (none.code, "See what there is: studio experiment list" in none.err) == (1, True)


def test_tags_names_and_descriptions_are_changed(shared_studio: Studio, folder: Path) -> None:
    run = interactive(shared_studio, "cli-tags", old="1")
    Path("notes.md").write_text("# Größe\n\nünï")

    update = ("run", "update", "-r", run.id)
    done = studio(*update, "--add-tag", "quality=fantastic run", "--add-tag", "flag")
    assert found(done)["tags"] == {"flag": None, "old": "1", "quality": "fantastic run"}
    done = studio(
        *update, "--remove-tag", "old", "--display-name", "a b", "--description", "@notes.md"
    )
    changed = found(done)
    assert (changed["tags"], changed["display_name"]) == (
        {"flag": None, "quality": "fantastic run"},
        "a b",
    )
    assert changed["description"] == "# Größe\n\nünï"
    assert found(studio(*update, "--description", "@-", input="typed"))["description"] == "typed"
    tagged = found(studio("run", "tag", "-r", run.id, "a=b=c", "x", "--remove", "flag"))
    assert tagged["tags"] == {"a": "b=c", "quality": "fantastic run", "x": None}
    missing = studio(*update, "--description", "@nowhere.md")
    assert (missing.code, missing.err) == (
        1,
        "studio: nowhere.md cannot be read: No such file or directory.\n",
    )


def test_runs_fail_go_to_the_trash_and_come_back(shared_studio: Studio, folder: Path) -> None:
    run = interactive(shared_studio, "cli-trash")
    of = ("-r", run.id)

    failed = found(studio("run", "fail", *of, "--message", "why", "--code", "MyCode"))
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "MyCode")
    assert found(studio("run", "delete", *of))["deleted_utc"]
    gone = studio("run", "show", *of)
    assert (gone.code, gone.out, gone.err.count("\n")) == (1, "", 1)
    assert "See what there is: studio run list" in gone.err
    assert found(studio("run", "restore", *of))["deleted_utc"] is None
    reader = shared_studio.manage("createtoken", "admin", "--scope", "read")
    refused = studio("run", "fail", *of, "--url", shared_studio.url, STUDIO_TOKEN=reader)
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "See what you may do: studio whoami" in refused.err
    live = Experiment(shared_studio.workspace, "cli-trash").start_logging(snapshot_directory=None)
    refused = studio("run", "delete", "-r", live.id)
    live.complete()
    assert (refused.code, "Cancel it first" in refused.err) == (1, True)


def test_experiments_are_listed_archived_and_shown_again(
    shared_studio: Studio, folder: Path
) -> None:
    interactive(shared_studio, "cli-experiment")
    of = ("-e", "cli-experiment")

    assert found(studio("experiment", "show", *of))["n_runs"] == 1
    assert found(studio("experiment", "archive", *of))["archived_time"]
    names = ("--query", "[].name")
    assert "cli-experiment" not in found(studio("experiment", "list", *names))
    assert "cli-experiment" in found(studio("experiment", "list", "--archived", *names))
    assert "cli-experiment" in found(studio("experiment", "list", "--all", *names))
    assert found(studio("experiment", "reactivate", *of))["archived_time"] is None


def test_the_lines_of_the_articles_run_with_another_program_name(
    shared_studio: Studio, folder: Path
) -> None:
    """Every `az …` line of the articles, with our program name, workspace and run."""
    run = interactive(shared_studio, "experiment")
    run.add_properties({"author": "azureml-user"})
    run.tag("quality", "fantastic run")
    run.tag("worth another look")
    lines = [
        "az ml folder attach -w myworkspace -g myresourcegroup",
        "az ml run submit-script -c sklearn -e testexperiment train.py",
        "az ml run list --experiment-name experiment",
        "az ml run show -r runid",
        "az ml run update -r runid --add-tag quality='fantastic run'",
        "az ml run cancel -r runid -w workspace_name -e experiment_name",
    ]
    for i, line in enumerate(lines):
        ours = line.replace("az ml", "").replace("runid", run.id)
        ours = ours.replace("myworkspace", "default").replace("workspace_name", "default")
        done = studio(*shlex.split(ours))
        assert done.code == 0, (line, done.err)
        if i == 0:
            (folder / ".studio" / "sklearn.runconfig").write_text("target: local\n")
    for expression in (
        "[?properties.author=='azureml-user']",
        "[?tags.keys(@)[?starts_with(@, 'worth another look')]]",
        "[?properties.author=='azureml-user' && tags.quality=='fantastic run']",
    ):
        listed = found(studio("run", "list", "--experiment-name", "experiment", expression))
        assert [one["run_id"] for one in listed] == [run.id], expression


def test_what_was_logged_while_the_studio_was_away_is_sent(
    shared_studio: Studio, folder: Path, tmp_path: Path
) -> None:
    from studio.sdk.spool import Request, Spool

    run = interactive(shared_studio, "cli-sync")
    config = shared_studio.config
    spool = Spool()
    body = json.dumps({"set": {"sent": "later"}}).encode()
    path = f"/runs/{run.id}/tags"
    spool.append(Request(path, body, "POST", config["url"], config["workspace"]))
    spool.close()

    assert found(studio("sync")) == {"n_sent": 1, "n_left": 0}

    assert run.get_tags()["sent"] == "later"
    assert found(studio("sync")) == {"n_sent": 0, "n_left": 0}
