from django.apps import AppConfig


class CustomViewsConfig(AppConfig):
    name = "studio.custom_views"
    label = "custom_views"

    def ready(self) -> None:
        from studio.custom_views.endings import connect

        connect()
