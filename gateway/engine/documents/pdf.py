"""The text of a PDF, read by a process of its own: a file from anybody may be made to hang or to fill the memory.

``python -m gateway.engine.documents.pdf`` reads the file from its input and writes a JSON list of pages.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from functools import partial

from gateway.engine.documents.errors import UnreadableDocument

SECONDS, MEMORY, MAX_PAGES = 120, 1024 * 1024 * 1024, 5_000
_ENCRYPTED, _TOO_LONG, _BROKEN = 3, 4, 5
_TOLD = {
    _ENCRYPTED: partial(
        UnreadableDocument, "The PDF is protected by a password. Save it without one.", code="document_encrypted"
    ),
    _TOO_LONG: partial(
        UnreadableDocument, f"The PDF has more than {MAX_PAGES} pages. Split it.", code="document_too_long"
    ),
    _BROKEN: partial(UnreadableDocument, "This is no PDF, or it is damaged.", code="document_unreadable"),
}


def pages(data: bytes) -> list[str]:
    """The text of each page. Raises UnreadableDocument."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__], input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        detail = f"Reading the PDF took longer than {SECONDS} seconds. Print it to a new PDF and try that."
        raise UnreadableDocument(detail, code="document_too_slow") from None
    if done.returncode == 0:
        found: list[str] = json.loads(done.stdout)
        return found
    raise _TOLD.get(done.returncode, _TOLD[_BROKEN])()


def main() -> int:
    from pypdf import PdfReader  # noqa: PLC0415 - only here: no other process needs it
    from pypdf.errors import PdfReadError  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            return _ENCRYPTED
        if len(reader.pages) > MAX_PAGES:
            return _TOO_LONG
        found = [page.extract_text() for page in reader.pages]
    except (PdfReadError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError, OSError):
        return _BROKEN
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
