from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "studio.metrics"
    label = "metrics"
