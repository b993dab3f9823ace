"""Tables that made-up runs are put together from: the same seed gives the same ones, whatever the
machine. No queries.

A load is made of rounds of `ROUND` runs. Every round takes its values from the same few thousand
rows, but each table is turned by another number of rows in every round (`turn_of`), so that whole
runs don't come again, and metrics are moved on by a step of their own. One INSERT … SELECT for each
table and round then does what would be twenty rows a run made in Python.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.runs.searchtext import first_tag_of, folded
from studio.runs.status import Status

# A multiple of `FAMILY` and `STARRED`.
ROUND = 5_000
# Newest first in the list means nearest to this moment.
LATEST = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EVERY_S = 30
# Most runs are in one experiment, as in life.
EXPERIMENTS = ["load-main", *(f"load-side-{i}" for i in range(1, 8))]
EXPERIMENT_SHARES = [0.9, *[0.1 / 7] * 7]
STATUSES = [Status.COMPLETED.value] * 80 + [Status.FAILED.value] * 12
STATUSES += [Status.CANCELED.value] * 5 + [Status.NOT_STARTED.value] * 3
N_SUBMITTERS = 5
# Every 25th run has two child runs, every 200th is starred, every third has a description.
FAMILY, CHILDREN, STARRED, DESCRIBED = 25, 2, 200, 3
MODELS = ["resnet", "vit", "bert", "mlp", "unet"]
QUALITIES = ["great", "good", "poor", "fantastic run"]
WORDS = ["baseline", "warmup", "cosine", "dropout", "augmentation", "frozen", "tuned"]
WORDS += ["larger", "smaller", "shuffled"]
N_WORDS = 8
# The description of run 18, 15,018, … ends with a rare word.
RARE_WORD, RARE_FIRST, RARE_ONE_IN = "zebrafish", 18, 15_000
# All keys in the order of the alphabet: rows then come in the order of their unique index.
TAG_KEYS = ["model", "owner", "quality", "worth another look"]
INTEGERS = {"batch": 512, "epochs": 100, "layers": 48, "seed": 10_000}
FLOATS = ["dropout", "lr", "weight_decay"]
OPTIMIZERS = ["adam", "sgd", "rmsprop", "lion"]
PARAMETER_KEYS = sorted([*INTEGERS, *FLOATS, "optimizer"])
METRICS = ["accuracy", "loss", "lr", "seconds", "val_accuracy", "val_loss"]
# Values of metrics are so many millionths.
MILLION = 1_000_000
# Shares of runs without a `val_loss`, and of runs whose `loss` ended as no number.
UNMEASURED, NOT_A_NUMBER = 0.1, 0.01
# The first runs have a hundred metrics more, each a name of its own: 2,000 names in all.
N_WIDE, WIDTH = 20, 100
UID_PARTS = ["uid_a", "uid_b", "uid_c", "uid_d"]
# How far each kind of table turns from one round to the next; none divides `ROUND`.
TURNS = {"facts": 1_237, "labels": 2_203, "words": 3_121, "inputs": 4_099}

Columns = dict[str, Sequence[Any]]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Templates:
    """Columns of each table; `i` says which run of a round a row is for, before turning.

    Tables with one row a run: `frame` (which never turns; `experiment` is a position, `nth` counts
    in the experiment, `up` is the distance to the parent, 0 without), `facts` (`submitter` is a
    position), `labels`, `words`. With more: `tags`, `properties`, `parameters`, `metrics`.
    """

    tables: Mapping[str, Columns]


def turn_of(kind: str, number: int) -> int:
    """By how many rows a table of a kind of `TURNS` is turned in a round."""
    return TURNS[kind] * number % ROUND


def draw(seed: int) -> Templates:
    """Everything that depends on the seed."""
    rng = np.random.default_rng(seed)
    facts = _facts(rng)
    labels, tags = _labels_and_tags(rng)
    idle = np.array([status == Status.NOT_STARTED for status in facts["status"]])
    return Templates(
        {
            "frame": _frame(rng),
            "facts": facts,
            "labels": labels,
            "tags": tags,
            "words": _words(rng),
            "properties": _by_key(
                ["hostname"], [[f"node-{k:03d}" for k in rng.integers(200, size=ROUND)]]
            ),
            "parameters": _parameters(rng),
            "metrics": _metrics(rng, idle),
        }
    )


def uid_moves(seed: int, number: int) -> list[int]:
    """What is added to the four parts of the uids of a round, each of 32 bits."""
    moves: list[int] = np.random.default_rng([seed, number]).integers(2**32, size=4).tolist()
    return moves


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> list[Any]:
    return [options[k] for k in rng.integers(len(options), size=ROUND).tolist()]


def _frame(rng: np.random.Generator) -> Columns:
    offset = np.arange(ROUND) % FAMILY
    up = np.where(offset <= CHILDREN, offset, 0)
    drawn = rng.choice(len(EXPERIMENTS), ROUND, p=EXPERIMENT_SHARES)
    experiment = drawn[np.arange(ROUND) - up]
    nth = np.zeros(ROUND, dtype=np.int64)
    for position in range(len(EXPERIMENTS)):
        inside = experiment == position
        nth[inside] = np.arange(1, inside.sum() + 1)
    return {
        "i": range(ROUND),
        "experiment": experiment.tolist(),
        "nth": nth.tolist(),
        "up": up.tolist(),
    }


def _facts(rng: np.random.Generator) -> Columns:
    """Seconds to the millisecond and never whole: a moment is then written with all its digits."""
    whole = np.floor(rng.lognormal(6, 1, ROUND)).astype(np.int64)
    thousandths = rng.integers(1, 1_000, ROUND)
    return {
        "i": range(ROUND),
        **{part: rng.integers(2**32, size=ROUND).tolist() for part in UID_PARTS},
        "submitter": rng.integers(N_SUBMITTERS, size=ROUND).tolist(),
        "on_target": (rng.random(ROUND) < 0.4).astype(int).tolist(),
        "status": _pick(rng, STATUSES),
        "seconds": whole.tolist(),
        "thousandths": thousandths.tolist(),
        "duration_s": ((whole * 1_000 + thousandths) / 1_000).tolist(),
    }


def _by_key(keys: list[str], values: Sequence[Sequence[Any]]) -> Columns:
    """Rows run by run, key by key; `values` has one column for each key."""
    return {
        "i": np.repeat(np.arange(ROUND), len(keys)).tolist(),
        "key": keys * ROUND,
        "value": list(chain.from_iterable(zip(*values, strict=True))),
    }


def _labels_and_tags(rng: np.random.Generator) -> tuple[Columns, Columns]:
    """`labels`: the tags as names and search texts have them."""
    models, qualities = _pick(rng, MODELS), _pick(rng, QUALITIES)
    owners = [f"team-{k}" for k in rng.integers(50, size=ROUND).tolist()]
    each = list(zip(models, owners, qualities, strict=True))
    labels: Columns = {
        "i": range(ROUND),
        "model": models,
        "first_tag": [first_tag_of({"model": model}) for model in models],
        "lines": [
            folded(f"\nmodel: {model}\nowner: {owner}\nquality: {quality}\n{TAG_KEYS[-1]}\n")
            for model, owner, quality in each
        ],
    }
    return labels, _by_key(TAG_KEYS, [models, owners, qualities, [None] * ROUND])


def _words(rng: np.random.Generator) -> Columns:
    texts = map(" ".join, zip(*(_pick(rng, WORDS) for _ in range(N_WORDS)), strict=True))
    return {"i": range(ROUND), "text": list(texts)}


def _parameters(rng: np.random.Generator) -> Columns:
    """Numbers as people choose them: with few digits, so that a value comes again."""
    texts: dict[str, list[str]] = {"optimizer": _pick(rng, OPTIMIZERS)}
    numbers: dict[str, list[float | None]] = {"optimizer": [None] * ROUND}
    for key, most in INTEGERS.items():
        drawn = rng.integers(1, most, ROUND).tolist()
        texts[key], numbers[key] = list(map(str, drawn)), list(map(float, drawn))
    for key in FLOATS:
        texts[key] = [f"{x:.3g}" for x in (10 ** rng.uniform(-5, -1, ROUND)).tolist()]
        numbers[key] = list(map(float, texts[key]))
    found = _by_key(PARAMETER_KEYS, [texts[key] for key in PARAMETER_KEYS])
    by_key = [numbers[key] for key in PARAMETER_KEYS]
    return {**found, "number": list(chain.from_iterable(zip(*by_key, strict=True)))}


def _metrics(rng: np.random.Generator, idle: Bools) -> Columns:
    """`millionths` of the last value, moved on by `step` in each round; `below` and `above` it are
    min and max. A run that never began has none."""
    shape = (ROUND, len(METRICS))
    measured = np.repeat(~idle[:, None], len(METRICS), axis=1)
    measured[:, METRICS.index("val_loss")] &= rng.random(ROUND) >= UNMEASURED
    broken = np.zeros(shape, dtype=bool)
    broken[:, METRICS.index("loss")] = rng.random(ROUND) < NOT_A_NUMBER
    steps = rng.integers(MILLION, size=len(METRICS)) | 1
    drawn = {name: rng.integers(MILLION, size=shape) for name in ("millionths", "below", "above")}
    return {
        "i": np.repeat(np.arange(ROUND), len(METRICS)).reshape(shape)[measured].tolist(),
        "name": np.broadcast_to(np.array(METRICS, object), shape)[measured].tolist(),
        "step": np.broadcast_to(steps, shape)[measured].tolist(),
        "last_text": np.where(broken, "NaN", "").astype(object)[measured].tolist(),
        **{name: values[measured].tolist() for name, values in drawn.items()},
    }


def wide(n_runs: int) -> Columns:
    """The metrics that only the first runs have; `i` is the run's index."""
    indexes = range(min(n_runs, N_WIDE))
    numbers = [i * WIDTH + k for i in indexes for k in range(WIDTH)]
    values = [round(number / (N_WIDE * WIDTH), 6) for number in numbers]
    return {
        "i": [i for i in indexes for _ in range(WIDTH)],
        "name": [f"layer-{number:04d}/norm" for number in numbers],
        "last": values,
        "last_text": [""] * len(numbers),
        "min": values,
        "max": values,
    }
