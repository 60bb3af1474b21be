"""``organization.export``: a worker writes everything the organization has into one compressed file.

A run that was lost begins anew: the file is one moment's state, and half of another moment's would not be.
"""

from __future__ import annotations

import json
import zlib
from typing import Any
from uuid import UUID

from gateway.engine.closing import content
from gateway.engine.closing.models import ExportPieceRow
from gateway.engine.closing.types import KIND
from gateway.platform.operations.registry import OperationRun, runner

PIECE_BYTES = 1024 * 1024
_GZIP = 31  # zlib's word for a gzip header and trailer
# A table of small rows must not let the lease run out between two pieces.
_LINES_PER_SIGN = 5_000


@runner(KIND)
def run(operation: OperationRun) -> dict[str, Any]:
    """Write the file; the result says how large it is."""
    ExportPieceRow.objects.filter(operation_id=operation.id).delete()
    file = _File(operation.id)
    count = 0
    for line in content.lines():
        file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        count += 1
        if count % _LINES_PER_SIGN == 0:
            operation.advance(count)
    file.close()
    operation.advance(count, total=count)
    return {"lines": count, "bytes": file.size, "content_type": "application/gzip"}


class _File:
    """A gzip file that is stored in pieces while it grows."""

    def __init__(self, operation_id: UUID) -> None:
        self._operation_id = operation_id
        self._compress = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._waiting = bytearray()
        self._number = 0
        self.size = 0

    def write(self, data: bytes) -> None:
        self._waiting += self._compress.compress(data)
        while len(self._waiting) >= PIECE_BYTES:
            self._store(bytes(self._waiting[:PIECE_BYTES]))
            del self._waiting[:PIECE_BYTES]

    def close(self) -> None:
        self._waiting += self._compress.flush()
        self._store(bytes(self._waiting))

    def _store(self, data: bytes) -> None:
        ExportPieceRow.objects.create(operation_id=self._operation_id, number=self._number, data=data)
        self._number += 1
        self.size += len(data)
