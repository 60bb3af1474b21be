"""A container's health check, by role: the standard library alone, so that asking every ten seconds costs nothing.

web: /readyz, which asks database, store and directory. console: /healthz. worker, scheduler: the age of the file that
their own loop touches (IKIRO_HEARTBEAT_PATH); a loop that stands still, or that cannot reach what it needs, lets it
age. embedder: a text's vector, over its socket (IKIRO_EMBEDDER_SOCKET).
"""

import http.client
import io
import os
import socket
import struct
import sys
import time

FRESH_S = 30.0
PATHS = {"web": "/readyz", "console": "/healthz"}
# gateway/core/embedder/frames.py: a header of length, number and kind; 1 asks, 3 is a vector.
HEADER = struct.Struct("!IIB")
QUERY, VECTORS = 1, 3


def main() -> str:
    """What is wrong; empty when nothing is."""
    role = sys.argv[1] if len(sys.argv) > 1 else "web"
    if role in PATHS:
        return answered(PATHS[role])
    if role in {"worker", "scheduler"}:
        return beating(os.environ.get("IKIRO_HEARTBEAT_PATH", "/tmp/ikiro-heartbeat"))  # noqa: S108 - the image's tmpfs
    if role == "embedder":
        return embedding(os.environ.get("IKIRO_EMBEDDER_SOCKET", ""))
    return f"{role} has no health check"


def answered(path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4.0)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        body = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return f"{path}: {error}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{path}: {answer.status} {body}"


def embedding(path: str) -> str:
    text = b'["healthy?"]'
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(4.0)
            connection.connect(path)
            with connection.makefile("rb") as answers:
                frame(answers)  # the greeting
                connection.sendall(HEADER.pack(len(text), 1, QUERY) + text)
                kind = frame(answers)
    except (OSError, struct.error) as error:
        return f"{path}: {error}"
    return "" if kind == VECTORS else f"{path}: it answers, and not with a vector"


def frame(answers: io.BufferedReader) -> int:
    """Read one frame; its kind."""
    length, _, kind = HEADER.unpack(answers.read(HEADER.size))
    answers.read(length)
    return int(kind)


def beating(path: str) -> str:
    try:
        age = time.time() - os.stat(path).st_mtime  # noqa: PTH116 - pathlib costs more than all the rest
    except OSError as error:
        return f"no heartbeat yet: {error}"
    return "" if age < FRESH_S else f"the last heartbeat is {age:.0f} s old"


if __name__ == "__main__":
    sys.exit(main() or 0)
