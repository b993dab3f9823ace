"""`python -m benchmarks`: measure everything, print it, write benchmarks/RESULTS.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    caller,
    cancelling,
    charts,
    crowd,
    footprint,
    ingest,
    list_charts,
    log_find,
    log_viewer,
    machine,
    mlflow_door,
    run_list,
    storm,
)
from benchmarks.options import Options
from benchmarks.report import Group, document, section

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
GROUPS: dict[str, Callable[[Options], Group]] = {
    "list": run_list.measure,
    "ingest": ingest.measure,
    "mlflow-door": mlflow_door.measure,
    "charts": charts.measure,
    "list-charts": list_charts.measure,
    "log-find": log_find.measure,
    "log-viewer": log_viewer.measure,
    "cancel": cancelling.measure,
    "storm": storm.measure,
    "crowd": crowd.measure,
    "caller": caller.measure,
    "footprint": footprint.measure,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, rough figures")
    parser.add_argument("--only", choices=GROUPS, action="append", help="this group (repeatable)")
    parser.add_argument("--output", type=Path, help="write the document here")
    return parser.parse_args()


def main() -> int:
    """0 when everything could be measured, whatever the figures say."""
    asked = arguments()
    facts, found, failed = machine.facts(), [], []
    with tempfile.TemporaryDirectory(prefix="studio-bench-") as folder:
        made = Options.quick if asked.quick else Options
        for name in asked.only or GROUPS:
            began = time.monotonic()
            try:
                group = GROUPS[name](made(Path(folder)))
            except Exception as error:
                failed.append(name)
                print(f"{name} could not be measured: {type(error).__name__}: {error}")
                continue
            found.append(group)
            print(f"{section(group)}\n({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
            if asked.output:
                # Whoever interrupts it keeps what is measured.
                asked.output.write_text(document(found, facts))
    # Only a full run replaces the committed figures.
    output = asked.output or (None if asked.quick or asked.only or failed else RESULTS)
    if output is not None:
        output.write_text(document(found, facts))
        print(f"written: {output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
