"""A process that sends batches and loses answers: `python -m tests.metrics.sender`.

Reads {"run", "batches", "n_threads", "seed"} as JSON from stdin; prints the ids acknowledged.
Every thread sends its own batches in order, some twice, some at the same time as another thread.
"""

import json
import random
import sys
import threading


def main() -> None:
    import django

    django.setup()
    from django.db import OperationalError, connection

    from studio.accounts.permissions import Actor
    from studio.metrics.actions import record_batch
    from studio.runs.models import Run
    from studio.wire import Batch

    task = json.load(sys.stdin)
    acknowledged: list[str] = []

    def send(mine: list[dict]) -> None:
        chance = random.Random(task["seed"])
        run = Run.objects.select_related("workspace").get(uid=task["run"])
        for data in mine:
            batch = Batch.parse(data)
            for _ in range(1 + (chance.random() < 0.3)):  # the answer was lost: once more
                while True:
                    try:
                        record_batch(run, batch, by=Actor.system("test"))
                        break
                    except OperationalError:  # SQLite is locked: as a client would, again
                        continue
            acknowledged.append(batch.batch)
        connection.close()

    n = task["n_threads"]
    threads = [threading.Thread(target=send, args=(task["batches"][i::n],)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(acknowledged))


if __name__ == "__main__":
    main()
