from django.apps import AppConfig


class CustomViewsConfig(AppConfig):
    name = "studio.custom_views"
    label = "custom_views"
