"""Handing a mail to the mail server, and what its answers mean."""

import contextlib
import smtplib
import socket
from email.errors import MessageError
from typing import Any, cast

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend

from studio.alerts import words
from studio.alerts.deadline import Deadline

# The whole exchange. A server that answers each line after EMAIL_TIMEOUT would take longer.
TOTAL_S = 300.0
# Who has the whole mail may look at it for long: leaving earlier would send it again and again.
VERDICT_S = 240.0
GOODBYE_S = 2.0
OWN_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class Trouble(Exception):
    """The mail was not taken; `maybe_taken`: or perhaps it was, and the answer was lost."""

    def __init__(self, text: str, *, maybe_taken: bool = False) -> None:
        super().__init__(text)
        self.maybe_taken = maybe_taken


class ServerAway(Trouble):
    """The mail server could not be reached, or takes nothing at all now: try again later."""


class NotNow(Trouble):
    """The mail server does not take this mail now, others it may: try again later."""


class Rejected(Trouble):
    """The mail server will never take this mail."""


def hand_over(message: EmailMultiAlternatives) -> None:
    """Returns once the mail server has taken the mail. Raises ServerAway, NotNow or Rejected."""
    with Deadline(TOTAL_S) as deadline:
        backend = _Backend(deadline) if settings.EMAIL_BACKEND == OWN_BACKEND else get_connection()
        try:
            backend.open()
            if not backend.send_messages([message]):
                raise Rejected("The mail has no recipient")
        except (smtplib.SMTPException, OSError) as error:
            raise _trouble(error, deadline, is_told=_is_told(backend)) from error
        except (ValueError, MessageError) as error:
            raise Rejected(f"No mail can be made of it: {words.one_line(error)[:300]}") from error
        finally:
            _say_goodbye(backend)


def _trouble(error: OSError, deadline: Deadline, *, is_told: bool) -> Trouble:
    """What an error means: server away, this mail not now, or this mail never."""
    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        told = f"it took more than {deadline.seconds:.0f} s" if deadline.has_passed else error
        why = f"The mail server is away: {words.one_line(told)[:300]}"
        return ServerAway(why, maybe_taken=is_told)
    spoken = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    told = f"The mail server said {code}: {words.one_line(spoken)[:300]}"
    # Of the greeting, our password and our own address: somebody will mend them.
    if not isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError):
        return ServerAway(told)
    if 550 <= code < 600:
        return Rejected(told)
    if not 400 <= code < 600:
        return ServerAway(told, maybe_taken=is_told)
    return NotNow(told) if code < 500 and code != 421 else ServerAway(told)


def _say_goodbye(backend: Any) -> None:
    """The mail is theirs already, or will come again: how they take leave changes nothing."""
    connection = getattr(backend, "connection", None)
    if not isinstance(connection, smtplib.SMTP):
        backend.close()
        return
    with contextlib.suppress(smtplib.SMTPException, OSError):
        if connection.sock is not None:
            connection.sock.settimeout(GOODBYE_S)
            connection.quit()
    connection.close()


def _is_told(backend: Any) -> bool:
    return getattr(getattr(backend, "connection", None), "is_told", False)


class _Watched(smtplib.SMTP):
    """`is_told`: the server was given the mail itself."""

    deadline: Deadline
    is_told = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = cast(socket.socket, super()._get_socket(host, port, timeout))  # type: ignore[misc]
        self.deadline.watch(made)
        return made

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.is_told = True
        if self.sock is not None:
            self.sock.settimeout(VERDICT_S)
        return super().data(msg)


class _Backend(EmailBackend):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.deadline = deadline

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """A class that tells this mail's deadline of its connection, before a TLS handshake."""
        bases = (smtplib.SMTP_SSL, _Watched) if self.use_ssl else (_Watched,)
        return type("Watched", bases, {"deadline": self.deadline})
