"""Processes that send and receive over safefs; started by the tests, one role per process.

`traffic.py FOLDER send QUEUE PREFIX COUNT` sends PREFIX-0 … PREFIX-(COUNT-1);
`traffic.py FOLDER receive QUEUE LEDGER` appends each received text and its age in milliseconds
to LEDGER, then acknowledges; `hold` writes too, but takes only three and acknowledges none.
"""

# kombu marks itself as typed, yet exports and annotates little:
# mypy: disable-error-code="no-untyped-call, attr-defined"

import os
import sys
import time

from kombu import Connection, Queue

import studio.broker  # noqa: F401  (registers the transport)


def connect(folder: str, **options: object) -> Connection:
    """A connection with its queues below `folder`."""
    places = {
        "data_folder_in": f"{folder}/queues",
        "data_folder_out": f"{folder}/queues",
        "control_folder": f"{folder}/control",
        "polling_interval": 0.02,
    }
    return Connection("safefs://localhost/", transport_options={**places, **options})


def send(folder: str, queue: str, prefix: str, count: int) -> None:
    """Send `count` messages as fast as possible."""
    with connect(folder) as connection:
        producer = connection.Producer(serializer="json")
        for index in range(count):
            body = {"text": f"{prefix}-{index}", "sent_at": time.time()}
            producer.publish(body, routing_key=queue, declare=[Queue(queue, routing_key=queue)])


def receive(folder: str, queue: str, ledger: str, *, hold: bool) -> None:
    """Receive until killed."""
    out = os.open(ledger, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def on_message(body: dict[str, object], message: object) -> None:
        age_ms = (time.time() - float(str(body["sent_at"]))) * 1000
        os.write(out, f"{body['text']} {age_ms:.1f}\n".encode())
        if not hold:
            message.ack()

    with connect(folder) as connection:
        consumer = connection.Consumer([Queue(queue, routing_key=queue)], callbacks=[on_message])
        consumer.qos(prefetch_count=3 if hold else 0)
        with consumer:
            while True:
                connection.drain_events()


if __name__ == "__main__":
    if sys.argv[2] == "send":
        send(sys.argv[1], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        receive(sys.argv[1], sys.argv[3], sys.argv[4], hold=sys.argv[2] == "hold")
