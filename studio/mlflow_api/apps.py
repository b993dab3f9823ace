from django.apps import AppConfig


class MlflowConfig(AppConfig):
    name = "studio.mlflow_api"
    label = "mlflow_api"
