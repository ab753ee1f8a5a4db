"""The channels: a real mail server and a real web server get what is to be told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import Connection

from include.errors import AlertNotTaken, ConfigurationError
from include.incidents.message import Message
from include.orchestration.alerts import channels, webhook_address
from include.settings import Settings
from tests.orchestration.listeners import Inbox, Posts, mail_server, web_server

MESSAGE = Message(
    title="critical: flight_delay, scores are late",
    text="what: {{ 7 * 6 }} rows of <b>carrier</b> & more — ≥ 3\nsince: 2014-06-01 10:00 UTC",
    severity="critical",
    events=({"event": "opened", "incident": 12, "kind": "scores_late"},),
)


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with mail_server() as taken:
        fields = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": taken.port,
            "extra": {
                "from_email": "nightshift@example.org",
                "disable_ssl": True,
                "disable_tls": True,
                "retry_limit": 0,
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(fields))
        yield taken


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    with web_server() as taken:
        hook(monkeypatch, host=f"http://127.0.0.1:{taken.port}/services/s3cret")
        yield taken


def hook(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    connection = json.dumps({"conn_type": "http", **fields})
    monkeypatch.setenv("AIRFLOW_CONN_NIGHTSHIFT_WEBHOOK", connection)


def test_without_configuration_the_log_is_the_only_channel(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    by = channels(settings)
    assert list(by) == ["log"]
    with caplog.at_level(logging.INFO):
        by["log"](MESSAGE)
        by["log"](replace(MESSAGE, severity="info"))
    first, second = (it for it in caplog.records if "ALERT" in it.getMessage())
    assert (first.levelname, second.levelname) == ("ERROR", "INFO")
    assert first.getMessage() == f"ALERT {MESSAGE.title}\n{MESSAGE.text}"


def test_mail_reaches_every_recipient_and_shows_the_text_as_it_is(
    settings: Settings, inbox: Inbox
) -> None:
    to = ("ada@example.org", "bob@example.org")
    channels(replace(settings, alert_emails=to))["email"](MESSAGE)
    (mail,) = inbox.mails
    assert inbox.recipients == list(to)
    assert mail["From"] == "nightshift@example.org"
    assert mail["Subject"] == "[nightshift] critical: flight_delay, scores are late"
    body = mail.get_body()
    assert body is not None
    shown = body.get_content()
    assert "what: {{ 7 * 6 }} rows of &lt;b&gt;carrier&lt;/b&gt; &amp; more — ≥ 3\n" in shown


def test_mail_that_is_refused_or_has_no_server_is_an_error(
    settings: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = channels(replace(settings, alert_emails=("ada@example.org",)))["email"]
    inbox.refusing = True
    with pytest.raises(Exception, match="not now"):
        send(MESSAGE)
    inbox.refusing = False
    send(MESSAGE)
    assert len(inbox.mails) == 1, "the next look tells again, with the same notifier or another"
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    with pytest.raises(Exception, match="SMTP connection is not found"):
        channels(replace(settings, alert_emails=("ada@example.org",)))["email"](MESSAGE)


def test_the_webhook_gets_text_for_people_and_values_for_machines(
    settings: Settings, posts: Posts, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        channels(settings)["webhook"](MESSAGE)
    assert posts.paths == ["/services/s3cret"]
    assert posts.bodies == [
        {
            "text": f"{MESSAGE.title}\n{MESSAGE.text}",
            "title": MESSAGE.title,
            "severity": "critical",
            "events": [{"event": "opened", "incident": 12, "kind": "scores_late"}],
        }
    ]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_yes_is_an_error_without_the_address(
    settings: Settings, posts: Posts, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    posts.status = status
    with pytest.raises(AlertNotTaken, match=rf"127\.0\.0\.1 refused .* status {status}"):
        channels(settings)["webhook"](MESSAGE)
    assert len(posts.paths) == 1, "nobody was asked elsewhere"
    assert "s3cret" not in caplog.text


def test_a_webhook_nobody_listens_to_is_an_error_without_the_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook(monkeypatch, host="http://127.0.0.1:9/services/s3cret")
    with pytest.raises(AlertNotTaken, match=r"127\.0\.0\.1 did not take .*: ConnectError"):
        channels(settings)["webhook"](MESSAGE)
    assert "s3cret" not in caplog.text


def test_token_login_and_headers_of_the_connection_are_sent(
    settings: Settings, posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f"http://127.0.0.1:{posts.port}/in"
    hook(monkeypatch, host=host, password="t0ken", extra={"X-Team": "night"})
    channels(settings)["webhook"](MESSAGE)
    hook(monkeypatch, host=host, login="ada", password="pw")
    channels(settings)["webhook"](MESSAGE)
    token, login = posts.headers
    assert (token["Authorization"], token["X-Team"]) == ("Bearer t0ken", "night")
    assert login["Authorization"] == "Basic YWRhOnB3"


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"conn_type": "http", "host": "https://a.org/b/c"}, "https://a.org/b/c"),
        ({"conn_type": "https", "host": "a.org", "schema": "b/c"}, "https://a.org/b/c"),
        ({"conn_type": "http", "host": "a.org", "port": 81, "schema": "b"}, "http://a.org:81/b"),
    ],
)
def test_the_address_is_whole_or_in_parts(fields: dict[str, Any], address: str) -> None:
    assert webhook_address(Connection(conn_id="x", **fields)) == address


def test_an_address_of_a_uri_is_understood() -> None:
    uri = "https://hooks.example.org/services/a/b"
    assert webhook_address(Connection.from_uri(uri, conn_id="x")) == uri


@pytest.mark.parametrize("host", [None, "", "ftp://a.org"])
def test_a_connection_without_a_web_address_is_refused(host: str | None) -> None:
    connection = Connection(conn_id="x", conn_type="generic", host=host)
    with pytest.raises(ConfigurationError, match="names no http or https address"):
        webhook_address(connection)
