"""A process that does background work: `python -m tests.bulk.worker WORK_UID [die|age|report]`.

Without a second word it does the work. `die`: it is killed in the middle of it. `age`: makes its
lease look lost. `report`: prints how far it is.
"""

import json
import os
import signal
import sys
import threading
import time


def die_half_way(uid: str) -> None:
    """Kill this process, as `kill -9` does, once some of the work is stored."""
    from studio.work.models import Work

    while not Work.objects.get(uid=uid).n_done:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    import django

    django.setup()
    from datetime import timedelta

    from django.utils import timezone

    from studio.runs.models import RunEvent, Tag
    from studio.work.models import Work
    from studio.work.running import run_work

    uid, what = sys.argv[1], (sys.argv[2:] or ["do"])[0]
    work = Work.objects.get(uid=uid)
    if what == "die":
        threading.Thread(target=die_half_way, args=(uid,), daemon=True).start()
    if what in ("do", "die"):
        run_work(work.pk, slice_s=600)
    elif what == "age":
        Work.objects.filter(uid=uid).update(beat_at=timezone.now() - timedelta(hours=1))
    else:
        facts = {name: getattr(work, name) for name in ("state", "n_done", "n_skipped", "n_total")}
        facts |= {"result": work.result}
        facts["n_events"] = RunEvent.objects.filter(work=uid).count()
        facts["n_tags"] = Tag.objects.filter(key="touched").count()
        print(json.dumps(facts))


if __name__ == "__main__":
    main()
