from django.apps import AppConfig


class ComputeConfig(AppConfig):
    name = "studio.compute"
    label = "compute"
