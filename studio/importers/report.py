"""What an import did, or would do: counts, and what was left out and why."""

from dataclasses import dataclass, field
from typing import Any

# More are counted, and not kept.
MAX_PROBLEMS = 10_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that was skipped, cut or left out."""

    place: str
    why: str


@dataclass(slots=True)
class Report:
    """Counts of runs: n_new were stored, n_changed grew since they were imported, n_known are as
    they were, n_gone were deleted here, n_skipped can't be read or stored. n_points, n_files,
    n_bytes, n_datasets (each use of one), n_models and n_links (of a run with a model that it used
    or made, where the source tells them apart): of what was stored. experiments: name -> runs
    stored in it. new_experiments: of these those that were made. n_problems: also of those that
    are not kept. notes: what the import as a whole left out.
    """

    is_dry: bool = False
    n_new: int = 0
    n_changed: int = 0
    n_known: int = 0
    n_gone: int = 0
    n_skipped: int = 0
    n_points: int = 0
    n_files: int = 0
    n_bytes: int = 0
    n_datasets: int = 0
    n_models: int = 0
    n_links: int = 0
    experiments: dict[str, int] = field(default_factory=dict)
    new_experiments: list[str] = field(default_factory=list)
    problems: list[Trouble] = field(default_factory=list)
    n_problems: int = 0
    notes: list[str] = field(default_factory=list)
    was_stopped: bool = False

    @property
    def n_read(self) -> int:
        return self.n_new + self.n_changed + self.n_known + self.n_gone + self.n_skipped

    @property
    def is_complete(self) -> bool:
        """Whether everything that was read is here now (or would be)."""
        return not self.n_problems and not self.was_stopped

    def note(self, place: str, why: str) -> None:
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Trouble(place[:500], why[:500]))

    def as_json(self) -> dict[str, Any]:
        names = ("is_dry", "was_stopped", "n_read", "n_new", "n_changed", "n_known", "n_gone")
        more = (
            "n_skipped",
            "n_points",
            "n_files",
            "n_bytes",
            "n_datasets",
            "n_models",
            "n_links",
            "experiments",
            "new_experiments",
            "notes",
        )
        found = {name: getattr(self, name) for name in (*names, *more, "n_problems")}
        return found | {"problems": [{"place": p.place, "why": p.why} for p in self.problems]}

    def as_text(self) -> str:
        """The counts and the problems as lines for people."""
        would = "would be " if self.is_dry else ""
        rows = [
            (self.n_new, f"{would}imported"),
            (self.n_changed, f"had grown and {'would be' if self.is_dry else 'were'} completed"),
            (self.n_known, "were here already, unchanged"),
            (self.n_gone, "were deleted here and stay so (--again brings them back)"),
            (self.n_skipped, "could not be read and were skipped"),
        ]
        lines = [f"{n:>9,} runs {words}" for n, words in rows if n]
        lines = lines or ["        0 runs found"]
        lines.append(
            f"          {self.n_points:,} points, {self.n_files:,} files, {self.n_bytes:,} bytes"
        )
        if self.n_datasets or self.n_models or self.n_links:
            lines.append(
                f"          {self.n_datasets:,} data sets used, {self.n_models:,} logged models,"
                f" {self.n_links:,} links to models"
            )
        for name, n in sorted(self.experiments.items()):
            new = " (new)" if name in self.new_experiments else ""
            lines.append(f"          {n:,} in the experiment {name}{new}")
        lines += [f"note      {note}" for note in self.notes]
        lines += [f"problem   {one.place}: {one.why}" for one in self.problems]
        if self.n_problems > len(self.problems):
            lines.append(f"          and {self.n_problems - len(self.problems):,} more problems")
        return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in x) for x in lines)
