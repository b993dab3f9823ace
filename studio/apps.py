"""The project's own app: loads Celery and the start-up checks when Django starts."""

from django.apps import AppConfig


class StudioConfig(AppConfig):
    name = "studio"
    label = "studio"

    def ready(self) -> None:
        import studio.celery  # noqa: F401  (binds shared_task to our Celery app)
        from studio import checks

        checks.install()
