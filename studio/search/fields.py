"""One `Field` per key: what it is called, which operators it takes, and how it becomes SQL.

From here come the checks of a query, the words on a pill, the rows of «Add filter» and the
suggestions of the search bar.
"""

from dataclasses import dataclass
from typing import Literal

from django.db.models import Q

from studio.search import named_keys, plain_keys
from studio.search.log_terms import log_q
from studio.search.matching import refuse
from studio.search.plain_keys import Build
from studio.search.scope import Scope
from studio.search.tree import Op, Term

Type = Literal["text", "choice", "number", "time", "duration", "flag"]

EQUALS = (Op.EQ, Op.NE)
TEXT = (*EQUALS, Op.CONTAINS, Op.STARTS)
ORDER = (*EQUALS, Op.LT, Op.LE, Op.GT, Op.GE, Op.RANGE)


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the grammar.

    label: what people read; build: the term as a Q over runs, which is true or false for each run
    and never unknown; ops: the operators besides has:; sort: the column that orders runs by it.
    """

    family: str
    label: str
    type: Type
    ops: tuple[Op, ...]
    build: Build
    sort: str = ""
    has: bool = True

    def q(self, term: Term, scope: Scope) -> Q:
        """The runs a term keeps; raises SearchSyntaxError for an operator the key can't have."""
        allowed = (*self.ops, Op.HAS) if self.has else self.ops
        if term.op not in allowed:
            raise refuse(term, self._refusal(term.op))
        return self.build(term, scope)

    def _refusal(self, op: Op) -> str:
        signs = " ".join(str(one) for one in self.ops if one is not Op.RANGE)
        ranges = " and a..b" if Op.RANGE in self.ops else ""
        reason = f"{self.family} does not go with {op}; it takes {signs}{ranges}."
        if self.family in ("tag", "property") and op not in TEXT:
            reason += " Numbers that are to be compared belong in a parameter, param.NAME."
        return reason


FIELDS: dict[str, Field] = {
    field.family: field
    for field in (
        Field("status", "Status", "choice", TEXT, plain_keys.status_q, "status"),
        Field("experiment", "Experiment", "text", TEXT, plain_keys.experiment_q, "experiment"),
        Field("submitter", "Submitted by", "text", TEXT, plain_keys.submitter_q, "submitter"),
        Field("target", "Compute target", "text", TEXT, plain_keys.target_q, "target"),
        Field("type", "Run type", "choice", TEXT, plain_keys.type_q, "type"),
        Field("name", "Display name", "text", TEXT, plain_keys.name_q, "display_name"),
        Field("description", "Description", "text", TEXT, plain_keys.description_q),
        Field("uid", "Run id", "text", TEXT, plain_keys.uid_q, "uid"),
        Field("number", "Number", "number", ORDER, plain_keys.number_q, "number"),
        Field(
            "submitted", "Submitted", "time", ORDER, plain_keys.moment_q("created_at"), "created_at"
        ),
        Field("started", "Started", "time", ORDER, plain_keys.moment_q("started_at"), "started_at"),
        Field("ended", "Ended", "time", ORDER, plain_keys.moment_q("ended_at"), "ended_at"),
        Field("duration", "Duration", "duration", ORDER, plain_keys.duration_q, "duration_s"),
        Field("parent", "Parent run", "text", TEXT, plain_keys.parent_q),
        Field("children", "Child runs", "number", ORDER, plain_keys.children_q),
        Field("is", "Is", "flag", (Op.EQ,), plain_keys.flag_q, has=False),
        Field("log", "Log", "text", (Op.CONTAINS,), log_q, has=False),
        Field("tag", "Tag", "text", TEXT, named_keys.tag_q),
        Field("property", "Property", "text", TEXT, named_keys.property_q),
        Field("param", "Parameter", "number", (*ORDER, *TEXT[2:]), named_keys.parameter_q),
        Field("metric", "Metric", "number", (*ORDER, *TEXT[2:]), named_keys.metric_q),
    )
}
