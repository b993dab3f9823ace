"""The bytes in an archive: files of runs, sources of submissions, images of descriptions."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

from studio.accounts.models import Workspace
from studio.artifacts.actions import open_artifact, size_of
from studio.artifacts.models import Artifact, Snapshot
from studio.artifacts.snapshots import opener
from studio.artifacts.store import source_folder, store
from studio.blobs import Names, ZipMember, digest_key, safe_label
from studio.runs.attachment_models import Attachment
from studio.runs.markdown_references import ATTACHMENT
from studio.runs.models import Experiment, Run

_IMAGE = re.compile(ATTACHMENT)


@dataclass(frozen=True, slots=True)
class Held:
    """A file of a run on its way into an archive; member: its name there, "" for a lost one."""

    artifact: Artifact
    member: str
    n_bytes: int

    def line(self) -> dict[str, Any]:
        """What is told of it."""
        one = self.artifact
        return {
            "path": one.path,
            "member": self.member,
            "n_bytes": self.n_bytes,
            "is_log": one.is_log,
            "content_type": one.content_type,
            "damage": one.damage,
        }


def files_of(runs: Sequence[Run], *, first: int) -> dict[int, list[Held]]:
    """run id -> its files by path, with the size they have now (1 query). first: the number of the
    first of the runs in the archive, which keeps folders of equal names apart."""
    found: dict[int, list[Held]] = {}
    folders = {run.pk: _folder(run, first + at) for at, run in enumerate(runs)}
    names = {pk: Names() for pk in folders}
    for one in Artifact.objects.filter(run__in=folders).order_by("run_id", "path", "id"):
        n_bytes = size_of(one)
        is_lost = n_bytes < one.n_bytes or not store().exists(one.blob_key)
        label = names[one.run_id].unique(safe_label(one.path))
        member = "" if is_lost and one.n_bytes else f"{folders[one.run_id]}/{label}"
        found.setdefault(one.run_id, []).append(Held(one, member, n_bytes))
    return found


def _folder(run: Run, number: int) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", run.display_name).strip("-")[:60]
    return f"files/{number:07}-{name}-{run.short_uid}".replace("--", "-")


def file_members(files: Mapping[int, Sequence[Held]]) -> Iterator[ZipMember]:
    for held in (held for of_run in files.values() for held in of_run if held.member):
        open_it = partial(open_artifact, held.artifact) if held.n_bytes else BytesIO
        yield ZipMember(held.member, open_it, held.n_bytes)


class Sources:
    """The sources of submissions, each in the archive once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._seen: set[str] = set()

    def members(self, runs: Iterable[Run]) -> Iterator[ZipMember]:
        """`snapshots/DIGEST.json`, a list of files, and those of them, as `sources/SHA-256`, that
        no run before needed (1 query)."""
        wanted = {run.snapshot for run in runs if run.snapshot} - self._seen
        found = Snapshot.objects.filter(workspace=self.workspace, digest__in=wanted)
        open_source = opener(self.workspace)
        for one in found.order_by("digest").iterator(chunk_size=1):
            self._seen.add(one.digest)
            text = json.dumps({"files": one.files}, sort_keys=True).encode()
            yield ZipMember(f"snapshots/{one.digest}.json", partial(BytesIO, text), len(text))
            for file in one.files:
                digest = file["digest"]
                if digest in self._seen or not self._has(digest):
                    continue
                self._seen.add(digest)
                open_it = partial(open_source, digest)
                yield ZipMember(f"sources/{digest}", open_it, file["size"])

    def _has(self, digest: str) -> bool:
        return store().exists(digest_key(digest, under=source_folder(self.workspace.pk)))


class Images:
    """The images that descriptions name, each in the archive once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._seen: set[str] = set()

    def members(self, described: Iterable[Run | Experiment]) -> Iterator[ZipMember]:
        """Those, as `images/DIGEST-NAME`, that nothing before named (at most 1 query)."""
        texts = (_text(one) for one in described)
        wanted = {digest for text in texts for digest in _IMAGE.findall(text)} - self._seen
        if not wanted:
            return
        self._seen |= wanted
        found = Attachment.objects.filter(workspace=self.workspace, digest__in=wanted)
        for one in found.order_by("digest"):
            if store().exists(one.blob_key):
                open_it = partial(store().open, one.blob_key)
                name = safe_label(f"images/{one.digest}-{one.name.replace('/', '_')[:80]}")
                yield ZipMember(name, open_it, one.n_bytes)


def _text(described: Run | Experiment) -> str:
    if isinstance(described, Experiment):
        return described.description
    return described.description_row.text if hasattr(described, "description_row") else ""
