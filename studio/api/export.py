"""A whole list of runs as one file."""

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router
from pydantic import Field

from studio.api.listing import RunChoice, chosen_runs
from studio.api.schemas import refusals
from studio.exports.download import download
from studio.exports.formats import FORMATS
from studio.exports.table import table_of
from studio.search.columns import DEFAULT_COLUMNS

router = Router(tags=["runs"])
REFUSALS = refusals(400, 401, 403, 404, 422, 503)
FILE = {
    "responses": {
        200: {
            "description": "The file",
            "content": {
                one.content_type.partition(";")[0]: {
                    "schema": {"type": "string", "format": "binary"}
                }
                for one in FORMATS.values()
            },
        }
    }
}


class Export(RunChoice):
    """The runs of a list, and the format of their file."""

    format: Literal["csv", "jsonl", "parquet"] = Field(
        "csv", description="`csv` (no cell is a formula), `jsonl` (an object a line), `parquet`"
    )


# Not /runs/export, which is the address of a run with the uid “export”.
@router.get("/runs-export", response=REFUSALS, openapi_extra=FILE)
def export_runs(request: HttpRequest, workspace: Path[str], wanted: Query[Export]) -> Any:
    """All runs of a list, not only a page, as a file that is made while it is sent: those in the
    list at this moment, each once. The uid comes first, then the `columns` asked for or the usual
    ones."""
    chosen = chosen_runs(request, workspace, wanted)
    table = table_of(chosen.runs, chosen.columns or DEFAULT_COLUMNS, chosen.order)
    return download(request, table, FORMATS[wanted.format], name=f"runs-{workspace}")
