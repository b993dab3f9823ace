"""The kinds of sources that MLflow has."""

from studio.importers.mlflow_database import open_database, open_database_file
from studio.importers.mlflow_folder import open_folder, open_folder_zip
from studio.importers.mlflow_server import open_server
from studio.importers.sources import Kind

MLFLOW = (
    Kind(
        name="mlflow-folder",
        title="MLflow: an mlruns folder",
        takes="the mlruns folder",
        open=open_folder,
        open_upload=open_folder_zip,
        accepts=(".zip",),
    ),
    Kind(
        name="mlflow-db",
        title="MLflow: a database",
        takes="sqlite:///FILE or postgresql://…",
        open=open_database,
        open_upload=open_database_file,
        accepts=(".db", ".sqlite", ".sqlite3"),
    ),
    Kind(
        name="mlflow-server",
        title="MLflow: a tracking server",
        takes="its address",
        open=open_server,
    ),
)
