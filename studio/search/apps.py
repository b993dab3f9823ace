from django.apps import AppConfig
from django.db.backends.signals import connection_created


class SearchConfig(AppConfig):
    name = "studio.search"
    label = "search"

    def ready(self) -> None:
        from studio.search import folding

        folding.register()
        connection_created.connect(folding.add_function, dispatch_uid="studio_folded")
