"""The channels people are told by: Airflow notifiers for the log, e-mail and a webhook.

The log is always one. E-mail needs recipients (`NIGHTSHIFT_ALERT_EMAILS`) and the Airflow
connection `smtp_default`; the webhook needs the connection `nightshift_webhook`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from include.errors import AlertNotTaken, ConfigurationError

if TYPE_CHECKING:
    from include.incidents.message import Message
    from include.settings import Settings

log = logging.getLogger(__name__)

SMTP_CONNECTION = "smtp_default"
WEBHOOK_CONNECTION = "nightshift_webhook"

WEBHOOK_SECONDS = 10.0
"""Longest wait for a webhook to connect, and to answer."""

LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


def channels(settings: Settings) -> dict[str, Callable[[Message], None]]:
    """Return the channels that are configured, by name; the log is always one of them."""
    found: dict[str, BaseNotifier] = {"log": LogNotifier()}
    if _is_there(WEBHOOK_CONNECTION):
        found["webhook"] = WebhookNotifier(WEBHOOK_CONNECTION)
    if settings.alert_emails:  # last, as a mail server that hangs takes minutes to give up
        found["email"] = email_notifier(settings.alert_emails)
    return {name: _sender(notifier) for name, notifier in found.items()}


def email_notifier(recipients: tuple[str, ...]) -> BaseNotifier:
    """Return Airflow's own e-mail notifier, fitted to our messages.

    The sender is `from_email` of the connection. Text reaches its templates as values: what a
    message quotes is never taken for a template or for HTML.
    """
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    return SmtpNotifier(
        to=list(recipients),
        subject="[nightshift] {{ alert.title }}",
        html_content="{{ alert.html }}",
        smtp_conn_id=SMTP_CONNECTION,
    )


class LogNotifier(BaseNotifier):
    """Writes the message into the log of the task that tells."""

    def notify(self, context: Any) -> None:
        """Log title and text, as an error when it is critical."""
        alert: Mapping[str, Any] = context["alert"]
        log.log(LEVELS[alert["severity"]], "ALERT %s\n%s", alert["title"], alert["text"])


class WebhookNotifier(BaseNotifier):
    """Posts the message as JSON to the address of an Airflow connection.

    The body has `text` (title and text in one, which chat services show), `title`, `severity`
    and `events`, one object per incident. The address may be secret, so errors name the host
    alone and nothing of it is logged.

    Args:
        connection: name of the Airflow connection; see `docs/alerts.md`.
    """

    def __init__(self, connection: str) -> None:
        super().__init__()
        self.connection = connection

    def notify(self, context: Any) -> None:
        """Post the message; anything but an answer of 2xx is an error.

        Raises:
            ConfigurationError: the connection names no http or https address.
            AlertNotTaken: nobody answered in time, or the answer was a refusal.
        """
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses
        alert: Mapping[str, Any] = context["alert"]
        connection = Connection.get(self.connection)
        address = webhook_address(connection)
        host = httpx.URL(address).host
        basic = (connection.login, connection.password or "") if connection.login else None
        try:
            answer = httpx.post(
                address,
                json={
                    "text": f"{alert['title']}\n{alert['text']}",
                    "title": alert["title"],
                    "severity": alert["severity"],
                    "events": alert["events"],
                },
                headers=_headers(connection),
                auth=basic,
                timeout=WEBHOOK_SECONDS,
            )
        except httpx.HTTPError as error:
            raise AlertNotTaken(
                f"the webhook at {host} did not take the alert: {type(error).__name__}"
            ) from None
        if not answer.is_success:
            raise AlertNotTaken(
                f"the webhook at {host} refused the alert with status {answer.status_code}"
            )


def webhook_address(connection: Connection) -> str:
    """Return the address a connection names.

    Its host is a whole address, or the parts are put together: the type is `http` or `https`,
    the schema the path.

    Raises:
        ConfigurationError: it names no http or https address.
    """
    host, path = connection.host or "", connection.schema or ""
    if "://" in host:
        address = host if not path else f"{host}/{path}"
    else:
        port = f":{connection.port}" if connection.port else ""
        address = f"{connection.conn_type}://{host}{port}/{path}"
    if not host or not address.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the Airflow connection {WEBHOOK_CONNECTION!r} names no http or https address; put "
            "the whole of it into the field host"
        )
    return address


def _headers(connection: Connection) -> dict[str, str]:
    """Return the headers the connection's extra holds, and its token if it has no login."""
    headers = {str(name): str(value) for name, value in connection.extra_dejson.items()}
    if connection.password and not connection.login:
        headers["Authorization"] = f"Bearer {connection.password}"
    return headers


def _is_there(connection: str) -> bool:
    try:
        Connection.get(connection)
    except AirflowNotFoundException:
        return False
    return True


def _sender(notifier: BaseNotifier) -> Callable[[Message], None]:
    def send(message: Message) -> None:
        notifier({"alert": _alert(message)})

    return send


def _alert(message: Message) -> dict[str, Any]:
    """Return a message as the notifiers read it; the HTML shows the text as it is."""
    return {
        "title": message.title,
        "text": message.text,
        "html": f"<pre style='white-space: pre-wrap'>{escape(message.text)}</pre>",
        "severity": message.severity,
        "events": list(message.events),
    }
