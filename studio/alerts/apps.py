from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "studio.alerts"
    label = "alerts"
