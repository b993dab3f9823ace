"""What a web server counts while it works, for `GET /metrics`. With several processes the counts of
all of them are one: PROMETHEUS_MULTIPROC_DIR names the folder they share (`manage.py web` does)."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

# A second series for each, which says when it began: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]
# Not the library's own registry: that one tells of Python and of the process.
REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "studio_http_requests", "Requests answered.", ["method", "status"], registry=REGISTRY
)
DURATION = Histogram(
    "studio_http_request_duration_seconds",
    "Seconds until an answer began.",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
POINTS = Counter("studio_ingested_points", "Metric points received and stored.", registry=REGISTRY)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def count_request(method: str, status: int, seconds: float) -> None:
    """Note an answer by its class (2xx). A made-up method is counted with the others of its kind:
    each name would be a series for ever."""
    named = method if method in METHODS else "other"
    REQUESTS.labels(named, f"{status // 100}xx").inc()
    DURATION.observe(seconds)
