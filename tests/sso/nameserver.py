"""A name server on a UDP port of this machine: answers what a test put into it, or keeps silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class NameServer:
    """``texts``: TXT records by name. ``fault``: silent, servfail."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    fault: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text().rstrip(".").lower()
        self.asked.append(name)
        if self.fault == "silent":
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.fault == "servfail":
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.texts:
            quoted = [f'"{text}"' for text in self.texts[name]]
            reply.answer.append(dns.rrset.from_text_list(query.question[0].name, 5, "IN", "TXT", quoted))
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


@contextmanager
def serving(port: int) -> Iterator[NameServer]:
    server = NameServer()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", port))
        listener.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    wire, address = listener.recvfrom(4096)
                except TimeoutError:
                    continue
                reply = server.answer(wire)
                if reply is not None:
                    listener.sendto(reply, address)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            over.set()
            thread.join(2)
