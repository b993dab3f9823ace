from django.apps import AppConfig


class ImportersConfig(AppConfig):
    name = "studio.importers"
    label = "importers"

    def ready(self) -> None:
        from studio.artifacts.uploads import CHECK, IMPORT, Importable, register_importable
        from studio.importers.background import ImportKind
        from studio.importers.kinds import MLFLOW
        from studio.importers.more_kinds import MORE
        from studio.importers.sources import kinds, register
        from studio.work.kinds import register as register_work

        register((*MLFLOW, *MORE))
        for kind in kinds():
            if kind.open_upload is not None:
                register_importable(Importable(kind.name, kind.title, kind.accepts))
        register_work(CHECK, ImportKind())
        register_work(IMPORT, ImportKind())
