from django.apps import AppConfig


class BulkConfig(AppConfig):
    name = "studio.bulk"
    label = "bulk"

    def ready(self) -> None:
        from studio.bulk.acting import BULK, BulkKind
        from studio.bulk.expiry import EXPIRE, ExpiryKind
        from studio.bulk.log_searching import LOG_SEARCH, LogSearchKind
        from studio.bulk.retagging import RETAG, RetagKind
        from studio.bulk.undoing import UNDO, UndoKind
        from studio.work.kinds import register

        register(BULK, BulkKind())
        register(UNDO, UndoKind())
        register(EXPIRE, ExpiryKind())
        register(RETAG, RetagKind())
        register(LOG_SEARCH, LogSearchKind())
