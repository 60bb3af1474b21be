"""From bytes to pages of text."""

from __future__ import annotations

import codecs

from gateway.engine.documents import pdf
from gateway.engine.documents.errors import UnreadableDocument
from gateway.engine.documents.passages import Page
from gateway.engine.documents.types import Media

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def pages(data: bytes, media_type: str) -> list[Page]:
    """The document's text. Raises UnreadableDocument, saying why and what to do."""
    if media_type == Media.PDF:
        found = [Page(_storable(text), number) for number, text in enumerate(pdf.pages(data), 1)]
    else:
        found = [Page(_storable(_decoded(data)))]
    if not any(page.text.strip() for page in found):
        hint = " A scanned PDF holds pictures only: run text recognition over it first." if len(found) > 1 else ""
        raise UnreadableDocument(f"There is no text in this document.{hint}", code="document_empty")
    return found


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        detail = f"The text is not valid {encoding}: byte {error.start}. Save it as UTF-8."
        raise UnreadableDocument(detail, code="document_not_text") from None


def _storable(text: str) -> str:
    """Without what PostgreSQL does not store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
