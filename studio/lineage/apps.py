from django.apps import AppConfig


class LineageConfig(AppConfig):
    name = "studio.lineage"
    label = "lineage"
