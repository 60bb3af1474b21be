"""Sending the journals when the store is back: this worker's own, and those that dead workers left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from gateway.core.errors import GatewayError, Unavailable
from gateway.core.valkey import StoreUnavailable, Valkey
from gateway.platform.admission import journal as journals
from gateway.platform.admission.journal import Call, Journal, Line
from gateway.platform.admission.scripts import BY_NAME

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
# Far more than the longest line: an entry is bounded at 16 KB per attempt.
_CHUNK_BYTES = 8 * 1024 * 1024
# Lines on their way at once, so that a long journal does not crowd out live requests.
_AT_ONCE = 200


class JournalReplayer:
    """A background loop (``run``); ``replay`` does one round and returns how many lines the store took."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or journals.journal()

    async def run(self, store: Valkey) -> None:
        while True:
            try:
                await self.replay(store)
            except Unavailable as error:
                log.debug("journal.store_away", error=error.detail)
            await asyncio.sleep(_EVERY_S)

    async def replay(self, store: Valkey) -> int:
        """Raises StoreUnavailable with everything unsent still on disk."""
        self._journal.flush()
        left_behind = self._left_behind()
        if self._journal.size or left_behind:
            # A script that the server does not know would be sent again behind the lines after it.
            for script in BY_NAME.values():
                await store.execute("SCRIPT", "LOAD", script.source)
        sent = await self._replay_own(store) if self._journal.size else 0
        for path in left_behind:
            sent += await self._adopt(store, path)
        if sent:
            log.info("journal.replayed", lines=sent)
        return sent

    async def _replay_own(self, store: Valkey) -> int:
        sent = offset = 0
        while not self._journal.truncate_if(offset):
            data = self._journal.read(offset, _CHUNK_BYTES)
            taken, lines = await self._send(store, data, self._journal.path, complete=False)
            offset, sent = offset + taken, sent + lines
        return sent

    def _left_behind(self) -> list[Path]:
        if not self._journal.directory.is_dir():
            return []
        return [path for path in sorted(self._journal.directory.glob("*.jsonl")) if path != self._journal.path]

    async def _adopt(self, store: Valkey, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            if not journals.lock(descriptor, path):
                return 0
            size, sent, offset = os.fstat(descriptor).st_size, 0, 0
            while offset < size:
                data = os.pread(descriptor, _CHUNK_BYTES, offset)
                taken, lines = await self._send(store, data, path, complete=offset + len(data) >= size)
                offset, sent = offset + taken, sent + lines
            journals.remove(path)
            return sent
        finally:
            os.close(descriptor)

    async def _send(self, store: Valkey, data: bytes, path: Path, *, complete: bool) -> tuple[int, int]:
        """Send the whole lines in ``data``: bytes consumed, lines taken. ``complete``: the end is no half-read line."""
        end = len(data) if complete else data.rfind(b"\n") + 1
        if end == 0 and data:
            # One line longer than a chunk: cannot happen with entries bounded as they are, so it is not one of ours.
            end = len(data)
        sent = 0
        for lines in _batches(data[:end].split(b"\n"), _AT_ONCE):
            sent += await _send_lines(store, [line for line in lines if line], path)
        return end, sent


def _batches(lines: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


async def _send_lines(store: Valkey, lines: list[bytes], path: Path) -> int:
    waiting: list[tuple[bytes, asyncio.Future[object]]] = []
    refused: StoreUnavailable | None = None
    await store.ready()
    for line in lines:
        try:
            waiting.append((line, _submit(store, journals.decode(line))))
        except (msgspec.DecodeError, KeyError) as error:
            _set_aside(path, line, error)
        except StoreUnavailable as error:
            refused = error
            break
    sent = 0
    replies = await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
    for (line, _), reply in zip(waiting, replies, strict=True):
        if isinstance(reply, GatewayError) and not isinstance(reply, Unavailable):
            _set_aside(path, line, reply)
        elif isinstance(reply, BaseException):
            raise reply
        else:
            sent += 1
    if refused is not None:
        raise refused
    return sent


def _submit(store: Valkey, line: Line) -> asyncio.Future[object]:
    if isinstance(line, Call):
        return store.submit_script(BY_NAME[line.script], line.keys, line.args)
    return store.submit("XADD", line.stream, "*", "kind", line.kind, "data", line.data)


def _set_aside(path: Path, line: bytes, error: Exception) -> None:
    """A line the store refuses must not hold back the rest; it stays for a person to look at."""
    log.error("journal.line_set_aside", path=str(path), error=str(error))
    with path.with_suffix(".bad").open("ab") as bad:
        bad.write(line + b"\n")
        bad.flush()
        os.fsync(bad.fileno())


_of_process: JournalReplayer | None = None


def replayer() -> JournalReplayer:
    """The process's replayer."""
    global _of_process
    if _of_process is None:
        _of_process = JournalReplayer()
    return _of_process
