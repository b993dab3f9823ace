"""Where the studio answers otherwise than `mlflow server`, on purpose, and why.

Each must be found by test_differential.py, which lets nothing else differ. Readers see the table in
docs/mlflow-differences.md: `python -m tests.mlflow_clients.differences` prints it.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Difference:
    """`operations` are names of requests (patterns: `*` and `?`), each of which must differ."""

    what: str
    theirs: str
    ours: str
    reason: str
    operations: tuple[str, ...]

    def covers(self, operation: str) -> bool:
        return any(matches(operation, pattern) for pattern in self.operations)


def matches(operation: str, pattern: str) -> bool:
    # Brackets are ordinary characters in the names of requests.
    return fnmatchcase(operation, pattern.replace("[", "[[]"))


DIFFERENCES = [
    Difference(
        "Requests that make the server fail",
        "500",
        "400 `INVALID_PARAMETER_VALUE`, `RESOURCE_DOES_NOT_EXIST` or what the case asks for",
        "clients send again what was answered with 500, for minutes",
        (
            "create: a list",
            "rename deleted",
            "batch: no object",
            "ordered: ['metrics.loss', 'metrics.loss DESC']",
            "models found: colour = 'red'",
            "put strange %2Fetc%2Fpasswd",
        ),
    ),
    Difference(
        "Addresses and methods that there are not, a folder asked for as a file",
        "a page in HTML",
        "an error in JSON, `ENDPOINT_NOT_FOUND` or `RESOURCE_DOES_NOT_EXIST`",
        "clients show its words",
        ("no such call", "wrong method", "post to a get", "download dir"),
    ),
    Difference(
        "Infinite metrics",
        "the largest double",
        "`Infinity`, `-Infinity`",
        "a value comes back as it was logged",
        ("history: inf", "history: minus"),
    ),
    Difference(
        "Values and steps that are no numbers or no whole numbers of 64 bits",
        "0, or what is left of them",
        "400 `INVALID_PARAMETER_VALUE`",
        "a made-up value is worse than an error",
        (
            "metric: flag",
            "metric: step too large",
            "metric: fraction as step",
            "batch: bad value",
            "run: time as fraction",
            "history size x",
        ),
    ),
    Difference(
        "Tags without a key, data sets without a name, statuses that there are not",
        "taken",
        "400 `INVALID_PARAMETER_VALUE`",
        "nobody would find them again",
        ("run: bad tag", "inputs: no name", "model ends NO_STATUS"),
    ),
    Difference(
        "A run without a user",
        "no user",
        "who sent it",
        "the studio knows who asks",
        ("run: without a user",),
    ),
    Difference(
        "A run set to running again",
        "keeps its end; may be `SCHEDULED`",
        "has no end; is `RUNNING`",
        "what goes on has not ended, and has been started",
        ("update: goes on", "update: scheduled"),
    ),
    Difference(
        "Renaming an experiment to a name that is taken",
        "`BAD_REQUEST`",
        "`RESOURCE_ALREADY_EXISTS`",
        "the same as when one is made",
        ("rename: taken",),
    ),
    Difference(
        "The history of a run that there is not",
        "empty",
        "404 `RESOURCE_DOES_NOT_EXIST`",
        "an empty history is of a run that there is",
        ("history: no run",),
    ),
    Difference(
        "Filters that end in AND, lack an AND, or name no key",
        "what is left of them",
        "400 `INVALID_PARAMETER_VALUE`",
        "a filter that is not applied finds the wrong runs",
        (
            "found: metrics.loss < 3 AND",
            "found: metrics.loss < 3 metrics.rare > 2",
            "found: metrics. < 3",
        ),
    ),
    Difference(
        "Numbers with a plus, one order that is no list, a page size of null",
        "400 `INVALID_PARAMETER_VALUE`",
        "understood",
        "there is no other way to read them",
        ("*+0.25*", "search of runs: order as text", "search size: None"),
    ),
    Difference(
        "A file with a percent sign and two digits in its name",
        "its name is decoded twice",
        "its name is kept",
        "two files must not become one",
        ("list '/twice'",),
    ),
    Difference(
        "Files outside the folders of runs and models that there are",
        "written and read",
        "400 `INVALID_PARAMETER_VALUE` or 404 `RESOURCE_DOES_NOT_EXIST`",
        "each file belongs to a run or a model, and to those who may see it",
        (
            "??t strange ../up.txt",
            "??t strange a/../../up.txt",
            "get strange %2Fetc%2Fpasswd",
            "??t nowhere",
        ),
    ),
    Difference(
        "What is deleted, or a member of a request, is not there",
        "200, or 400 `BAD_REQUEST`",
        "404 `RESOURCE_DOES_NOT_EXIST`",
        "the caller is told that nothing happened",
        (
            "delete absent file",
            "model delete: again",
            "model ends: unknown",
            "model metric: unknown",
            "model output: unknown",
        ),
    ),
    Difference(
        "The same parameters of a model, the same output of a run, sent again",
        "400 `BAD_REQUEST`",
        "200; another value is `INVALID_PARAMETER_VALUE`",
        "clients send again what got no answer",
        ("model params: same", "model params: other", "model output: same"),
    ),
    Difference(
        "The answer to new tags of a model",
        "empty",
        "the model",
        "the client leaves it unread",
        ("model tags", "model tags: other"),
    ),
    Difference(
        "Logged models by status",
        "finds none",
        "finds them",
        "the filter is a documented one",
        ("models found: status = 'PENDING'",),
    ),
]


def table() -> str:
    """The differences in Markdown, as in the documentation."""
    rows = ["| What | `mlflow server` | the studio | Why |", "|---|---|---|---|"]
    rows += [f"| {d.what} | {d.theirs} | {d.ours} | {d.reason} |" for d in DIFFERENCES]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
