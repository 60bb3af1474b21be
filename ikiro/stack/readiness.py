"""Questions about the web port: may we have it, and does the gateway answer on it?"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from ikiro.stack.errors import PortTaken, StackError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of ``/readyz``: its HTTP status (0 when nobody answered) and its body."""

    status: int
    reason: str

    @property
    def ok(self) -> bool:
        return self.status == 200


def parse_port(text: str) -> int:
    """A TCP port from 1 to 65535; raises StackError naming PORT."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise StackError(f"PORT={text!r} is not a port number from 1 to 65535.")
    return int(text)


def require_free_port(port: int) -> None:
    """Raise PortTaken when another process listens on the port, StackError when we may not use it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections in TIME_WAIT do not count
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except PermissionError as error:
            raise StackError(f"Port {port} needs more rights. Choose another: make up PORT=8000") from error
        except OSError as error:
            other = port + 1 if port < 65535 else 8000
            raise PortTaken(
                f"Port {port} is taken by another program. Stop it, or choose another port: make up PORT={other}"
            ) from error


def ask_readiness(port: int) -> Readiness:
    """GET /readyz once; waits at most two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return Readiness(response.status, response.read(2000).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as error:
        return Readiness(0, str(error))
    finally:
        connection.close()
