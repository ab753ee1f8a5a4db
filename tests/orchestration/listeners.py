"""A mail server and a web server on this machine, as real as alerts need them."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass
class Inbox:
    """What a mail server took; it refuses everything while `refusing`."""

    port: int = 0
    refusing: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@dataclass
class Posts:
    """What a web server was sent, and with which status it answers."""

    port: int = 0
    status: int = 204
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """Run a server that speaks as much SMTP (RFC 5321) as a client needs to deliver."""
    inbox = Inbox()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "RCPT" and not inbox.refusing:
                    inbox.recipients.append(line.partition("<")[2].rstrip(">"))
                if verb == "QUIT":
                    self.say("221 bye")
                    return
                if verb in ("MAIL", "RCPT") and inbox.refusing:
                    self.say("451 not now")
                elif verb == "DATA":
                    self.say("354 go on")
                    self.read_mail()
                else:
                    self.say("250 ok")

        def read_mail(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            mail = BytesParser(policy=default).parsebytes(b"".join(lines))
            inbox.mails.append(cast(EmailMessage, mail))
            self.say("250 taken")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)) as port:
        inbox.port = port
        yield inbox


@contextmanager
def web_server() -> Iterator[Posts]:
    """Run a server that keeps what is posted to it."""
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.bodies.append(json.loads(body))
            posts.paths.append(self.path)
            posts.headers.append(dict(self.headers))
            self.send_response(posts.status)
            if posts.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        posts.port = port
        yield posts


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
