from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "studio.work"
    label = "work"
