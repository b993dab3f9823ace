"""A real SMTP server for tests: keeps mails, or refuses, hangs and goes away when told to."""

import asyncio
import email
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from tests.live.studio import free_port


class Mailbox:
    """`mails`: what arrived, oldest first. `answer`: what is said to the next mails' data, such as
    "451 later"; "" takes them. `refuse`: what is said to recipients, or to those in `refused`.
    `taken`: called with each mail before it is confirmed; False breaks the connection off instead.
    `waits_s`: the time before each answer to a mail."""

    def __init__(self, port: int = 0) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = self.refuse = ""
        self.refused: set[str] = set()
        self.taken: Callable[[EmailMessage], bool] = lambda mail: True
        self.waits_s = 0.0
        self.port = port or free_port()
        self.open()

    def open(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def close(self) -> None:
        """Nobody answers at the port any more, until `open_again`."""
        self._controller.stop()

    def open_again(self) -> None:
        self.open()
        self._controller.start()

    def about(self, words: str) -> list[EmailMessage]:
        """The mails with these words in their subject."""
        return [mail for mail in list(self.mails) if words in str(mail["Subject"])]

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuse and (not self.refused or address in self.refused):
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.waits_s:
            await asyncio.sleep(self.waits_s)
        if self.answer:
            return self.answer
        found = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        if not self.taken(found):
            server.transport.abort()
        return "250 OK"


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The text or HTML of a mail."""
    body = mail.get_body(preferencelist=(kind,))
    assert body is not None
    return str(body.get_content())
