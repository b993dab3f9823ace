"""Large files of forms, which go to a disk while they come: only histories to be imported."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.urls import Resolver404, resolve

from studio.accounts.permissions import Actor, Permission, can
from studio.accounts.rooms import enter


class ImportUploadHandler(TemporaryFileUploadHandler):
    """Takes what is too large for memory at the one address that imports, from people who may do
    so there, up to MAX_IMPORT_BYTES; everything else it leaves to nobody."""

    activated = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        fits = settings.FILE_UPLOAD_MAX_MEMORY_SIZE < content_length <= settings.MAX_IMPORT_BYTES
        self.activated = fits and self._is_import()

    def _is_import(self) -> bool:
        request = self.request
        if request is None or not request.user.is_authenticated:
            return False
        try:
            asked = resolve(request.path_info)
        except Resolver404:
            return False
        if asked.url_name != "import-check":
            return False
        # Before the page asks: gigabytes of somebody who is refused would lie on the disk by then.
        entered = enter(Actor.of_user(request.user), asked.kwargs["workspace"])
        return entered is not None and can(entered[1], Permission.SUBMIT_RUN, entered[0])

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.activated:
            super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if not self.activated:
            return raw_data
        return super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        return super().file_complete(file_size) if self.activated else None

    def upload_interrupted(self) -> None:
        if self.activated:
            super().upload_interrupted()
