from tests.live.studio import ROOT
from tests.mlflow_clients.differences import table


def test_readers_are_told_of_every_difference() -> None:
    assert table() in (ROOT / "docs" / "mlflow-differences.md").read_text()
