"""Which uploaded images a description names."""

import re

from django.db import transaction

from studio.runs.attachment_models import Attachment, AttachmentUse
from studio.runs.markdown_references import ATTACHMENT
from studio.runs.models import Experiment, Run

_NAMED = re.compile(ATTACHMENT)


def note_uses(described: Run | Experiment, text: str) -> None:
    """Keep the images that `text` names as long as what it describes is there; in the transaction
    that stores the text (no query without an image)."""
    digests = set(_NAMED.findall(text))
    if not digests:
        return
    named = Attachment.objects.filter(workspace=described.workspace_id, digest__in=digests)
    owner = {"run": described} if isinstance(described, Run) else {"experiment": described}
    with transaction.atomic():
        # Locked: one that is being freed at this moment is gone or stays, never half of each.
        found = list(named.select_for_update().order_by("pk"))
        AttachmentUse.objects.bulk_create(
            (AttachmentUse(attachment=one, **owner) for one in found), ignore_conflicts=True
        )
