"""What a query asks of logs, and the rest of it. The logs themselves are read in the background."""

from django.db.models import Q

from studio.artifacts.log_findings import findings
from studio.search.pills import pills
from studio.search.scope import Scope, any_q
from studio.search.tree import Node, Term, all_of, leaves


def log_texts(node: Node | None) -> tuple[str, ...]:
    """Every text that a query looks for in logs, in its order, each once."""
    asked = [leaf for leaf in leaves(node) if isinstance(leaf, Term) and leaf.key.family == "log"]
    return tuple(dict.fromkeys(text for term in asked for text in term.values))


NOT_IN_RULES = (
    "Rules can't look into logs: these are read when somebody searches, not when a run changes."
    " Leave “log” out."
)


def without_logs(node: Node | None) -> Node | None:
    """The conditions of a query that say nothing of logs: whose runs a search looks at."""
    rest = [pill for pill in pills(node) if not log_texts(pill)]
    return all_of(rest) if rest else None


def log_q(term: Term, scope: Scope) -> Q:
    """Runs in whose logs any of the texts was found. A run that was not looked at holds none."""
    return any_q(
        Q(pk__in=findings(scope.workspace_ids, text).values("run")) for text in term.values
    )
