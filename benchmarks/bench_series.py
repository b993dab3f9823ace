"""Chart data of long series: read, downsample to 2,000 points, JSON; beside it the NumPy limit.

Makes a database of its own. Run: python benchmarks/bench_series.py [points, default 1000000]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def clocked(work: Callable[[], object], *, n: int = 15) -> str:
    work()
    took = []
    for _ in range(n):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1e3)
    return f"p50 {statistics.median(took):7.2f} ms  p95 {sorted(took)[int(n * 0.95)]:7.2f} ms"


def main() -> None:
    n_points = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"STUDIO_HOME": home, "DJANGO_SETTINGS_MODULE": "studio.settings"}
        subprocess.run([sys.executable, ROOT / "manage.py", "migrate", "-v0"], check=True)
        import django

        django.setup()
        measure(n_points, home)


def measure(n_points: int, home: str) -> None:
    import numpy as np
    from tsdownsample import MinMaxLTTBDownsampler

    from studio import wire
    from studio.accounts.actions import add_workspace
    from studio.accounts.models import User
    from studio.accounts.permissions import Actor
    from studio.metrics.actions import record_batch
    from studio.metrics.models import Metric
    from studio.metrics.series import series
    from studio.runs.actions import NewRun, create_run, ensure_experiment

    user = User.objects.create_superuser("u", password="x")
    by = Actor.of_user(user)
    experiment, _ = ensure_experiment(add_workspace("w", owner=user), "e", by=by)
    run = create_run(experiment, NewRun(start=True), by=by)
    values = np.sin(np.arange(n_points) / 1000) + np.random.default_rng(1).normal(0, 0.1, n_points)
    for first in range(0, n_points, 1000):
        steps = list(range(first, min(first + 1000, n_points)))
        name = f"00000000-0000-4000-8000-{first:012d}"
        part = values[first : first + 1000].tolist()
        one = wire.Series("loss", "scalar", [1.7e9] * len(steps), part, steps)
        record_batch(run, wire.Batch(name, (one,)), by=by)
    metric = Metric.objects.get(run=run)

    def ours() -> str:
        line = series([metric], max_points=2000)[0].points
        columns = {"x": line.steps.tolist(), "y": np.asarray(line.values).tolist()}
        return json.dumps(columns | {"t": line.times.tolist()})

    path = Path(home) / "bare.f64"
    values.tofile(path)

    def limit() -> str:
        y = np.fromfile(path)
        kept = MinMaxLTTBDownsampler().downsample(y, n_out=2000)
        return json.dumps({"x": kept.tolist(), "y": y[kept].tolist()})

    print(f"{n_points:,} points, {metric.chunks.count()} chunks")
    print("series + JSON:         ", clocked(ours))
    print("NumPy file, LTTB, JSON:", clocked(limit))


if __name__ == "__main__":
    main()
