"""Servers of somebody else's, on real sockets: a webhook receiver that notes what it gets, and Radicale."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.harness import eventually, free_port


@dataclass
class Delivery:
    """One POST as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A webhook receiver. ``answers`` are statuses for the next calls (then 200); a call waits while ``gate`` is
    shut."""

    url: str
    deliveries: list[Delivery] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on 127.0.0.1, open until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.deliveries.append(Delivery({name.lower(): value for name, value in self.headers.items()}, body))
            found.gate.wait(60)
            status = found.answers.pop(0) if found.answers else 200
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    found.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def signature_of(secret: str, delivery: Delivery) -> str:
    """Standard Webhooks, as its specification says it, and nothing of ours."""
    assert secret.startswith("whsec_")
    message_id, timestamp = delivery.headers["webhook-id"], delivery.headers["webhook-timestamp"]
    signed = b".".join([message_id.encode(), timestamp.encode(), delivery.body])
    digest = hmac.new(base64.b64decode(secret[len("whsec_") :]), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@dataclass
class CalendarServer:
    """A running Radicale with one calendar of one user's."""

    url: str
    user: str
    password: str

    @property
    def auth(self) -> tuple[str, str]:
        return (self.user, self.password)

    def events(self) -> list[str]:
        """Every event of the calendar, as iCalendar."""
        listing = httpx.request(
            "PROPFIND", self.url, auth=self.auth, headers={"depth": "1"}, timeout=10,
            content=b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
        )  # fmt: skip
        hrefs = [part.split("</href>")[0] for part in listing.text.split("<href>")[1:]]
        root = self.url.split("/", 3)
        base = "/".join(root[:3])
        return [httpx.get(base + href, auth=self.auth, timeout=10).text for href in hrefs if href.endswith(".ics")]

    def clear(self) -> None:
        """An empty calendar again."""
        httpx.delete(self.url, auth=self.auth, timeout=10)
        made = httpx.request("MKCALENDAR", self.url, auth=self.auth, timeout=10)
        assert made.status_code == 201, made.text


@contextmanager
def calendar_server(folder: Path) -> Iterator[CalendarServer]:
    """Radicale on 127.0.0.1 until the block ends."""
    port = free_port()
    users = folder / "users"
    users.write_text("ana:correct horse\n")
    arguments = [
        sys.executable, "-m", "radicale", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "htpasswd",
        "--auth-htpasswd-filename", str(users), "--auth-htpasswd-encryption", "plain", "--auth-delay", "0",
        "--storage-filesystem-folder", str(folder / "collections"), "--config", "", "--logging-level", "warning",
    ]  # fmt: skip
    with (folder / "radicale.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        root = f"http://127.0.0.1:{port}"
        eventually(lambda: httpx.get(root, timeout=2).status_code < 500, within=60)
        server = CalendarServer(f"{root}/ana/team/", "ana", "correct horse")
        server.clear()
        yield server
    finally:
        process.terminate()
        process.wait(20)
