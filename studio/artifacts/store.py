"""The store that holds the bytes of artifacts, logs and sources."""

from functools import lru_cache

from django.conf import settings

from studio.blobs import Store, open_store


@lru_cache(maxsize=8)
def _opened(url: str) -> Store:
    return open_store(url)


def store() -> Store:
    """The store named by settings.STUDIO_STORAGE_URL, opened once per process and address."""
    return _opened(settings.STUDIO_STORAGE_URL)
