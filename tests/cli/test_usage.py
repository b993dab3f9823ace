"""Help, refusals and exit codes that need no studio."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio.cli.connection import address_of
from tests.cli.golden import check
from tests.cli.running import commands, studio

COMMANDS = commands()
GROUPS = [(), ("run",), ("experiment",), ("folder",)]
WRONG = {
    "unknown-command": ("runs",),
    "unknown-option": ("run", "list", "--lst"),
    "missing-run": ("run", "show"),
    "no-run-id": ("run", "show", "-r", "../experiments"),
    "no-experiment-name": ("run", "list", "-e", "a b"),
    "no-status": ("run", "list", "--status", "Done"),
    "no-number": ("run", "list", "--last", "many"),
    "zero": ("run", "list", "--last", "0"),
    "no-format": ("run", "list", "-o", "xml"),
    "no-jmespath": ("run", "list", "--query", "[?a==b-c"),
    "shell-took-the-quotes": ("run", "list", "[?properties.author==azureml-user]"),
    "tag-without-key": ("run", "update", "-r", "abc", "--add-tag", "=x"),
    "nothing-to-change": ("run", "update", "-r", "abc"),
    "no-tags": ("run", "tag", "-r", "abc"),
    "no-script": ("run", "submit-script", "-e", "x"),
    "no-address": ("login", "ftp://x"),
    "no-shell": ("completion", "tcsh"),
    "required-experiment": ("experiment", "archive"),
}


@pytest.mark.parametrize("words", [*GROUPS, *(w for w, _ in COMMANDS)], ids="-".join)
def test_help_stays_as_it_is(words: tuple[str, ...]) -> None:
    done = studio(*words, "--help")

    assert (done.code, done.err) == (0, "")
    check("help-" + ("-".join(words) or "studio"), done.out)


def test_the_help_of_every_command_has_an_example_of_it() -> None:
    lacking = []
    for words, command in COMMANDS:
        lines = command.example.strip().splitlines()
        if not any(line.strip().startswith("studio " + " ".join(words)) for line in lines):
            lacking.append(" ".join(words))

    assert len(COMMANDS) > 18
    assert lacking == []


def test_every_command_takes_a_format_and_a_query() -> None:
    for words, command in COMMANDS:
        names = {name for param in command.params for name in param.opts}
        assert {"-o", "--output", "--query"} <= names, words


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_one_line_and_2(name: str) -> None:
    done = studio(*WRONG[name])

    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    check(f"wrong-{name}", done.err)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "list"), 1, "No studio is configured"),
        (("run", "list", "--url", "http://127.0.0.1:9"), 1, "studio login http://127.0.0.1:9"),
        (("run", "submit-script", "-c", "nope", "-e", "x", "a.py"), 1, "no .studio/nope.runconfig"),
        (("logout", "http://127.0.0.1:9"), 1, "no login for http://127.0.0.1:9"),
        (("login", "127.0.0.1:9"), 1, "This is no token"),
    ],
)
def test_refusals_say_what_to_do(words: tuple[str, ...], code: int, said: str) -> None:
    done = studio(*words)

    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
    assert said in done.err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:9/", "http://127.0.0.1:9"),
        ("localhost:8000", "http://localhost:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("studio.example.org", "https://studio.example.org"),
        (" https://example.org/studio/ ", "https://example.org/studio"),
    ],
)
def test_an_address_may_be_typed_short(given: str, meant: str) -> None:
    assert address_of(given) == meant


@pytest.mark.parametrize("words", [("run", "list"), ("whoami",), ("run", "show", "-r", "a")])
def test_a_closed_port_is_3(words: tuple[str, ...]) -> None:
    done = studio(*words, "--url", "http://127.0.0.1:9", STUDIO_TOKEN="x")

    assert (done.code, done.out) == (3, "")
    assert re.fullmatch(
        r"studio: no answer from http://127\.0\.0\.1:9: .*Is it running.*\n", done.err
    )


def test_a_broken_file_of_logins_is_named(home: Path) -> None:
    file = home.parent / "config" / "studio" / "credentials.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")

    done = studio("whoami", "--url", "http://127.0.0.1:9")

    assert done.code == 1
    assert str(file) in done.err
    assert "log in again" in done.err


def test_wrong_run_configurations_name_the_line(home: Path) -> None:
    (home / "x.runconfig").write_text("script: a.py\nargumnts: []\n")

    done = studio("run", "submit-script", "-c", "x", "-e", "x", STUDIO_URL="http://127.0.0.1:9")

    assert done.code == 1
    assert "x.runconfig, line 2: 'argumnts' is not a known field; did you mean" in done.err


def test_the_reader_of_a_pipe_may_leave() -> None:
    command = f"{sys.executable} -m studio.cli run --help | true; exit ${{PIPESTATUS[0]}}"
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run(["bash", "-c", command], cwd=root, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str) -> None:
    done = studio("completion", shell)

    assert done.code == 0
    assert f"_STUDIO_COMPLETE={shell}_complete" in done.out


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    """The script as bash runs it, with `studio` on the path."""
    root = Path(__file__).resolve().parents[2]
    program = tmp_path / "studio"
    run = f'exec env PYTHONPATH={root} {sys.executable} -m studio.cli "$@"'
    program.write_text(f"#!/bin/sh\n{run}\n")
    program.chmod(0o755)
    lines = [
        f"export PATH={tmp_path}:$PATH",
        'eval "$(studio completion bash)"',
        "COMP_WORDS=(studio run mon) COMP_CWORD=2",
        "_studio_completion studio",
        'echo "${COMPREPLY[@]}"',
        "COMP_WORDS=(studio run list --stat) COMP_CWORD=3 COMPREPLY=()",
        "_studio_completion studio",
        'echo "${COMPREPLY[@]}"',
    ]

    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True)

    assert done.stdout.split("\n")[:2] == ["monitor-logs", "--status"], done.stderr


def test_help_loads_neither_the_sdk_nor_formats() -> None:
    code = "import sys\nfrom studio.cli.main import cli\n"
    code += "try: cli.main(['run', 'list', '--help'])\nexcept SystemExit: pass\n"
    code += "heavy = {'studio.sdk', 'urllib3', 'yaml', 'jmespath', 'django'}\n"
    code += "print(sorted(heavy & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)

    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
