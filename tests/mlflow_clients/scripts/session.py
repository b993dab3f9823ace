"""Run scripts with the client that this Python has: one process each, `mlflow` imported only once.

Reads a line of JSON per script from its standard input: its path, arguments, environment, and the
files for its answer and its output. Answers with a line: the exit code, or (`detach`) the process.
`load` names modules to import before all that come after.
"""

import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

# Importing takes seconds: whoever is forked below has it already.
import mlflow


def main() -> None:
    print(json.dumps({"version": mlflow.__version__}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        if "load" in task:
            print(
                json.dumps([importlib.import_module(n).__name__ for n in task["load"]]), flush=True
            )
            continue
        process = os.fork()
        if process == 0:
            run(task)
            return
        if task["detach"]:
            answer = {"process": process}
        else:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}
        print(json.dumps(answer), flush=True)


def run(task: dict[str, Any]) -> None:
    """The script's `main`; what it returns goes to the file of answers as JSON."""
    with open(task["output"], "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    sys.path.insert(0, str(Path(task["script"]).parent))
    try:
        answer = runpy.run_path(task["script"])["main"](**task["arguments"])
        half = Path(task["answer"] + ".half")
        half.write_text(json.dumps(answer))
        half.rename(task["answer"])
    except Exception:
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()
