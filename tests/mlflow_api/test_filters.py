"""The grammar of MLflow's filters and orders, without a database."""

from typing import Any

import pytest

from studio.mlflow_api.errors import MlflowError
from studio.mlflow_api.filters import (
    EXPERIMENTS,
    LOGGED_MODELS,
    RUNS,
    Grammar,
    parse_filter,
    parse_sorting,
)
from studio.mlflow_api.likes import fits

READ: list[tuple[str, Any]] = [
    ("", []),
    ("metrics.m > -1.5e-3", [("metric", "m", ">", -0.0015)]),
    ("metric.m>=.5", [("metric", "m", ">=", 0.5)]),
    ("metrics.`val/acc` != 1.", [("metric", "val/acc", "!=", 1.0)]),
    ('metrics."a b" <= +2', [("metric", "a b", "<=", 2.0)]),
    ("param.q = 'it''s'", [("parameter", "q", "=", "it''s")]),
    ('params.q = "it\'s"', [("parameter", "q", "=", "it's")]),
    (r"parameter.q = 'a\b'", [("parameter", "q", "=", r"a\b")]),
    (r"parameters.q LIKE 'a\'b'", [("parameter", "q", "LIKE", r"a\'b")]),
    ("`params`.`a b` = ''", [("parameter", "a b", "=", "")]),
    ("params.größe iLike 'Ä%'", [("parameter", "größe", "ILIKE", "Ä%")]),
    ("tags.mlflow.parentRunId = 'x'", [("tag", "mlflow.parentRunId", "=", "x")]),
    ('tag.`mlflow.parentRunId` = "x"', [("tag", "mlflow.parentRunId", "=", "x")]),
    ("tags.t is  null AND tags.u IS NOT NULL", None),
    ("status = 'AND' and status != ' = '", None),
    ("attributes.run_id IN ('a', \"b\",)", [("attribute", "run_id", "IN", ("a", "b"))]),
    ("run_id NOT IN ('a')", [("attribute", "run_id", "NOT IN", ("a",))]),
    ("attr.Created > 5", [("attribute", "start_time", ">", 5)]),
    ("run.start_time >= 5.5", [("attribute", "start_time", ">=", 5.5)]),
    ("`Run name` = 'x'", [("attribute", "run_name", "=", "x")]),
    ("attributes.\"run name\" LIKE '%'", [("attribute", "run_name", "LIKE", "%")]),
    ("datasets.digest IN ('a','b')", [("dataset", "digest", "IN", ("a", "b"))]),
]
REFUSED = [
    ("metrics.m > 1 OR metrics.m < 0", "character 15, near 'OR"),
    ("metrics.m > 1 metrics.n > 1", "expected AND"),
    ("metrics.m > 1 AND", "expected a name"),
    ("(metrics.m > 1)", "expected a name"),
    ("metrics.m > '1'", "expected a number"),
    ("metrics.m > NaN", "expected a number"),
    ("metrics.m > - 1", "expected a number"),
    ("metrics.m == 1", "'==' does not go with a metric; =, !=, <, <=, >, >= do"),
    ("metrics.m LIKE 'x'", "'LIKE' does not go with a metric"),
    ("metrics.m IS NULL", "'IS NULL' does not go with a metric"),
    ("metrics.a/b > 1", "stands in backticks"),
    ("METRICS.m > 1", "'METRICS' is no kind of key"),
    ("foo = 'x'", "there is no attribute 'foo'; there is Created"),
    ("experiment_id = '1'", "there is no attribute"),
    ("params.q = 5", "expected a value in single or double quotes"),
    ("params.q = `x`", "expected a value in single or double quotes"),
    ("params.q = 'x", "the quote ' is not closed"),
    ("params.q > 'x'", "'>' does not go with a parameter"),
    ("params.q NOT LIKE 'x'", "'NOT LIKE' does not go with"),
    ("params.q IN ('x')", "'IN' does not go with a parameter"),
    ("status IN ('RUNNING')", "'IN' does not go with attribute status"),
    ("end_time IS NULL", "does not go with attribute end_time"),
    ("run_id IN ()", "a list of one or more values"),
    ("run_id IN ('a' 'b')", "expected , or )"),
    ("run_id IN (1)", "a list of one or more values"),
    ("dataset.foo = 'x'", "name, digest and context"),
    ("dataset.name IS NULL", "does not go with dataset name"),
    ("metrics.m > 1;", "expected AND"),
    ("params.", "expected a key behind the dot"),
    ("params.q LIKE '" + "x" * 10_001 + "'", "a pattern holds at most"),
    (" AND ".join(["metrics.m > 1"] * 101), "at most 100 clauses"),
    ("run_id IN (" + ",".join(["'a'"] * 5_002) + ")", "at most 5,000 values"),
    ("status = '" + "x" * 200_000 + "'", "at most 200,000 characters"),
]


def read(text: str, grammar: Grammar = RUNS) -> list[tuple[str, str, str, Any]]:
    return [(one.kind, one.key, one.comparator, one.value) for one in parse_filter(text, grammar)]


def test_filters_are_read_as_mlflow_reads_them() -> None:
    for text, expected in READ:
        assert expected is None or read(text) == expected, text
    assert [one[1:] for one in read(READ[13][0])] == [
        ("t", "IS NULL", None),
        ("u", "IS NOT NULL", None),
    ]
    assert [one[3] for one in read(READ[14][0])] == ["AND", " = "]


def test_what_cannot_be_read_is_refused_with_place_and_reason() -> None:
    for text, reason in REFUSED:
        with pytest.raises(MlflowError) as refusal:
            parse_filter(text, RUNS)
        assert refusal.value.code == "INVALID_PARAMETER_VALUE"
        assert reason in str(refusal.value), (text[:80], str(refusal.value))
        assert len(str(refusal.value)) < 500


def test_experiments_and_models_have_names_of_their_own() -> None:
    text = "name ILIKE 'a%' AND attribute.experiment_id IN ('1') AND tags.t IS NULL"
    assert [one[1] for one in read(text, EXPERIMENTS)] == ["name", "experiment_id", "t"]
    for wrong in (
        "metrics.m > 1",
        "creation_time > 0.5",
        "experiment_id LIKE '1'",
        "attr.name = ''",
    ):
        with pytest.raises(MlflowError):
            parse_filter(wrong, EXPERIMENTS)
    assert read("creation_time > 5 AND name IN ('m')", LOGGED_MODELS) == [
        ("attribute", "creation_timestamp", ">", 5),
        ("attribute", "name", "IN", ("m",)),
    ]


def test_orders_name_one_key_and_a_direction() -> None:
    for text, expected in (
        ("metrics.`val/acc` desc", ("metric", "val/acc", True)),
        ("params.'a b'", ("parameter", "a b", False)),
        ("Created ASC", ("attribute", "start_time", False)),
    ):
        found = parse_sorting(text, RUNS)
        assert (found.kind, found.key, found.descending) == expected
    for wrong in ("", "metrics.m FOO", "metrics.m, metrics.n", "foo", "dataset.name", "Run name"):
        with pytest.raises(MlflowError):
            parse_sorting(wrong, RUNS)


def test_patterns_fit_whole_texts_and_none_takes_long() -> None:
    for comparator, pattern, text, expected in (
        ("LIKE", "Res%", "ResNet", True),
        ("LIKE", "res%", "ResNet", False),
        ("ILIKE", "STRASSE%", "Straße 5", True),
        ("LIKE", "a%b", "a\nb", True),
        ("LIKE", "50\\%", "50%", False),
        ("LIKE", "a_b", "a_b", True),
        ("LIKE", "a%a", "a", False),
        ("LIKE", "%ab%ab", "xab", False),
        ("LIKE", "", "", True),
        ("LIKE", "%a" * 500 + "b", "a" * 5_000, False),
    ):
        assert fits(comparator, pattern)(text) is expected, (pattern, text)
