"""The store of this process, and the keys under which runs' files and sources lie in it."""

import hashlib
import secrets
from functools import lru_cache

from django.conf import settings

from studio.blobs import Store, open_store
from studio.runs.models import Run


def store() -> Store:
    """The store that settings.STUDIO_STORAGE_URL names now; opened once for each address."""
    return _opened(settings.STUDIO_STORAGE_URL)


@lru_cache(maxsize=8)
def _opened(url: str) -> Store:
    return open_store(url)


def new_key(run: Run, path: str) -> str:
    """A key nobody can guess and nothing else uses: every upload gets one of its own, so that
    replacing a file never changes bytes somebody is reading."""
    name = hashlib.sha256(path.encode() + secrets.token_bytes(16)).hexdigest()[:40]
    return f"{folder_of(run.workspace_id, run.pk)}{name[:2]}/{name}"


def folder_of(workspace_id: int, run_id: int) -> str:
    """What the keys of all files of a run begin with."""
    return f"runs/{workspace_id}/{run_id}/"


def folders_of_workspace(workspace_id: int) -> list[str]:
    """What the keys of all bytes of a workspace begin with."""
    return [f"{kind}/{workspace_id}/" for kind in ("runs", "attachments", "source", "uploads")]


def source_folder(workspace_id: int) -> str:
    """The prefix of a workspace's source blobs."""
    return f"source/{workspace_id}"
