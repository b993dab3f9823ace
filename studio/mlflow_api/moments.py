"""Moments as clients write them: milliseconds since 1970, exactly."""

from datetime import UTC, datetime, timedelta

from studio.mlflow_api.errors import wrong

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MS = timedelta(milliseconds=1)
# Within what every database and time zone can show.
MOST_MS = (datetime(9990, 1, 1, tzinfo=UTC) - EPOCH) // ONE_MS


def ms_of(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // ONE_MS


def moment_of(ms: int | None, name: str) -> datetime | None:
    """None for None. Raises MlflowError for a moment that can't be stored."""
    if ms is None:
        return None
    if not 0 <= ms <= MOST_MS:
        raise wrong(f"Invalid value {ms} for parameter '{name}': no moment that can be stored.")
    return EPOCH + ms * ONE_MS
