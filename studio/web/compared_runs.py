"""The runs of a comparison as a list of runs, so that charts below its table are the list's own."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from django.http import QueryDict
from django.urls import reverse

from studio.custom_views.state import ViewState
from studio.web.access import Request
from studio.web.compare_state import NO_CHARTS, Comparison
from studio.web.run_rows import Listing


@dataclass(frozen=True)
class ComparedRuns(Listing):
    """Listing whose page is a comparison. `compared`: how it shows its table."""

    compared: Comparison = field(default_factory=Comparison)
    page_name: ClassVar[str] = "Compare"
    chosen_word: ClassVar[str] = "run"

    def url(self, state: ViewState) -> str:
        return self.base_url + self.compared.with_charts(state.charts or NO_CHARTS).to_query()

    @property
    def limits(self) -> dict[str, str]:
        """The rest of the comparison's state, for the way back to it."""
        rest = replace(self.compared, chosen=(), charts="")
        return {"compare": rest.to_query().removeprefix("?") or "1"}

    def alone(self, state: ViewState) -> Listing:
        return replace(self, state=state, compared=Comparison())


def compared_runs(request: Request, compared: Comparison, charts: str) -> ComparedRuns:
    """`charts`: the text of those that are shown."""
    here = reverse("run-compare", args=[request.workspace.name])
    state = ViewState(chosen=compared.chosen, charts=charts)
    return ComparedRuns(here, state, compared=compared)


def compared_aside(request: Request) -> ComparedRuns:
    """The comparison that `ComparedRuns.aside` made an address about."""
    state = ViewState.from_query(request.GET)
    rest = QueryDict(request.GET["compare"])
    # The baseline counts among the chosen ones only.
    query = {**rest.dict(), "chosen": ",".join(state.chosen), "charts": state.charts}
    compared = Comparison.from_query({name: str(text) for name, text in query.items()})
    return compared_runs(request, compared, state.charts)
