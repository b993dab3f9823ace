"""The history of members in words. Pure."""

from studio.accounts.models import MemberEvent, Role


def sentence(event: MemberEvent) -> str:
    """What `event.actor` did, to be read after their name."""
    words = SENTENCES.get(event.kind, "changed {subject}")
    return words.format(
        subject=event.subject, before=role_word(event.before), after=role_word(event.after)
    )


SENTENCES = {
    "made": "made the workspace",
    "added": "added {subject} as {after}",
    "created": "created the account {subject} and added it as {after}",
    "role": "changed {subject} from {before} to {after}",
    "removed": "removed {subject} ({before})",
    "left": "left ({before})",
    "link": "made a password link for {subject}",
    "closed": "closed the workspace",
    "reopened": "reopened the workspace",
}


def role_word(role: object) -> str:
    return str(Role(str(role)).label) if role in Role.values else "–"
