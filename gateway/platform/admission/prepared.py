"""Admission and settlement of calls that differ in nothing but their numbers: the very commands that ``services`` would
send, encoded once for a caller and a target, with holes for what differs.

Only for callers whose limits all refuse (no shadow rule, no soft budget) and none of which guards money. Whatever is
not a plain yes of the store goes the usual way.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import hiredis
import msgspec

from gateway.core.template import Marks
from gateway.core.valkey import CommandFailed, Script, StoreUnavailable, Valkey
from gateway.core.valkey.packing import Argument, pack
from gateway.platform.admission import leases, verdicts
from gateway.platform.admission.allowances import allowances
from gateway.platform.admission.journal import Call
from gateway.platform.admission.keys import of_org
from gateway.platform.admission.limits import Applied, Kind, LimitState, states
from gateway.platform.admission.scripts import ADMIT, SETTLE
from gateway.platform.admission.services.admit import arguments, give_back, lease_of
from gateway.platform.admission.services.settle import call_of, resend
from gateway.platform.admission.types import AdmissionRequest, Lease, LeaseDraft, Settlement

_REQUEST = "f0f0f0f0-f0f0-7f0f-8f0f-f0f0f0f0f0f0"
_MONTH, _DAY, _ENTRY = "#month", "#its-day", "#entry"
# Where the limits' numbers begin in the script's reply, and how many there are of each.
_FIRST, _EACH = 5, 6


def possible(applied: Applied) -> bool:
    """Whether these limits leave nothing to say but yes or no."""
    kinds = {limit.kind for limit in applied.limits}
    return Kind.REQUESTS in kinds and not any(limit.reports or limit.guards_money for limit in applied.limits)


class Opened(msgspec.Struct, frozen=True):
    """A call that was let in. ``limit``, ``remaining`` and ``reset_ms`` are of the request rate with the least left,
    the ``nearest``-th limit."""

    reply: list[Any]
    nearest: int
    limit: int
    remaining: int
    reset_ms: int


class PreparedAdmission:
    """One caller's calls to one target. ``request`` is an example of them."""

    def __init__(self, request: AdmissionRequest) -> None:
        self._request = request
        self._limits = request.applied.limits
        self._rates = [at for at, limit in enumerate(self._limits) if limit.kind == Kind.REQUESTS]
        self._ttl_s = leases.lease_ttl_s()
        self._seen = False
        self._holes = [
            tuple(f"{name}_{at}".encode() for name in ("left", "reset", "used", "held"))
            for at in range(len(self._limits))
        ]
        marks = Marks()
        estimate, tokens = _sized(marks, "estimate"), _sized(marks, "tokens")
        sample = self._with(UUID(marks.text("request", _REQUEST)), estimate, tokens)
        told = arguments("admit", sample, self._ttl_s)
        self._command = marks.template(_packed(ADMIT, of_org(request.org_id).base, told))

    async def admit(self, store: Valkey, number: int, request: bytes, estimate: int, tokens: int) -> Opened | None:
        """Let one call in, and hold ``estimate`` micro-dollars and ``tokens`` for it; ``number`` is its request id,
        ``request`` that as text. None for anything but a plain yes; then nothing is held."""
        try:
            reply = await store.submit_packed(self.command(request, estimate, tokens))
        except asyncio.CancelledError:
            self.give_back(store, number)
            raise
        except StoreUnavailable as error:
            if error.maybe_applied:
                self.give_back(store, number)
            return None
        except CommandFailed:
            return None
        return self.opened(reply)

    def command(self, request: bytes, estimate: int, tokens: int) -> bytes:
        """The command that asks the store to admit one call. ``request`` is its id as text."""
        return self._command.fill({
            b"request": request, b"estimate": estimate, b"estimate_length": len(str(estimate)),
            b"tokens": tokens, b"tokens_length": len(str(tokens)),
        })  # fmt: skip

    def opened(self, reply: list[Any]) -> Opened | None:
        """What a reply says; None for anything but yes."""
        if reply[0] != 0:
            return None
        if not self._seen:  # something is to be in hand for this caller when the store is away
            self._seen = True
            allowances().seen(self._request)
        nearest, place = -1, 0
        for at in self._rates:
            here = _FIRST + at * _EACH
            if nearest < 0 or reply[here + 1] < reply[place + 1]:
                nearest, place = at, here
        return Opened(reply, nearest, self._limits[nearest].limit or 0, reply[place + 1], reply[place + 2])

    def give_back(self, store: Valkey, number: int) -> None:
        """Undo what the store may have done for a call that nobody waits for."""
        give_back(store, self._with(UUID(int=number), 0, 0), self._ttl_s, None)

    def lease(self, request_id: UUID, reply: list[Any], estimate: int, tokens: int) -> Lease:
        """The lease that was opened, as everybody else knows it."""
        request = self._with(request_id, estimate, tokens)
        return lease_of(request, reply[3].decode(), reply[4].decode(), reply[2], self._ttl_s)

    def states(self, reply: list[Any]) -> tuple[LimitState, ...]:
        """Every limit after the admission."""
        return states(self._limits, reply, verdicts.moment(reply[2]))

    def numbers(self, reply: list[Any]) -> dict[bytes, object]:
        """What fills the holes of ``marked``."""
        found: dict[bytes, object] = {}
        for at, (left, reset, used, held) in enumerate(self._holes):
            place = _FIRST + at * _EACH
            found[left], found[reset] = reply[place + 1], reply[place + 2] / 1000
            found[used], found[held] = reply[place + 4], reply[place + 5]
        return found

    def marked(self, marks: Marks, nearest: int) -> tuple[LimitState, ...]:
        """Every limit of an example in which the ``nearest``-th has the least left."""
        least = marks.whole(f"left_{nearest}")
        found = []
        for at, limit in enumerate(self._limits):
            left = least if at == nearest else marks.whole(f"left_{at}")
            reset = math.inf if isinstance(limit.window, str) else marks.exact(f"reset_{at}")
            used, held = marks.whole(f"used_{at}"), marks.whole(f"held_{at}")
            found.append(LimitState(limit, refuses=False, unknown=False, left=left, reset_s=reset, retry_s=0.0,
                                    used=used, held=held))  # fmt: skip
        return tuple(found)

    def _with(self, request_id: UUID, estimate: int, tokens: int) -> AdmissionRequest:
        draft = self._request.lease or LeaseDraft()
        return replace(
            self._request, request_id=request_id, lease=replace(draft, estimate_micros=estimate, tokens=tokens)
        )


class PreparedSettlement:
    """The settlement of such calls. ``lease`` and ``settlement`` are an example with ``marks`` in it: ``request`` in
    the lease (``marked_lease``), ``prompt``, ``completion``, ``charged`` and whatever else differs."""

    def __init__(self, lease: Lease, settlement: Settlement, marks: Marks) -> None:
        call = call_of(lease, settlement, ())
        self._entry = marks.template(call.args[-1].encode())
        used = settlement.prompt_tokens + settlement.completion_tokens
        _also(marks, used, "used")
        _also(marks, settlement.charged_micros, "charged")
        marks.also(f"${len(_ENTRY)}\r\n{_ENTRY}", "$%(entry_length)d\r\n%(entry)b")
        self._command = marks.template(_packed(SETTLE, call.keys[0], (*call.args[:-1], _ENTRY)))

    def command(self, values: dict[bytes, Any]) -> bytes:
        """The command that settles one call. ``values`` for every mark; what follows from them is added."""
        entry = self._entry.fill(values)
        charged, used = values[b"charged"], values[b"prompt"] + values[b"completion"]
        values[b"charged_length"], values[b"used"], values[b"used_length"] = len(str(charged)), used, len(str(used))
        values[b"entry"], values[b"entry_length"] = entry, len(entry)
        return self._command.fill(values)


def marked_lease(lease: Lease, marks: Marks) -> Lease:
    """A lease as an example for ``PreparedSettlement``: ``request``, ``month`` and ``day`` differ."""
    return replace(
        lease,
        request_id=UUID(marks.text("request", _REQUEST)),
        month=marks.text("month", _MONTH),
        day=marks.text("day", _DAY),
    )


class _Posted:
    """A settlement whose reply nobody waits for."""

    __slots__ = ("_command", "_store")

    def __init__(self, store: Valkey, command: bytes) -> None:
        self._store, self._command = store, command

    def came(self, reply: Any) -> None:
        """It arrived."""

    def lost(self, error: BaseException) -> None:
        """It is sent again, or written down."""
        resend(self._store, call_in(self._command), error)


def post(store: Valkey, command: bytes, written: Callable[[], None] | None = None) -> None:
    """Send a settlement whose reply nobody waits for; what does not arrive is sent again or written down. ``written``
    is called once it is on its way."""
    posted = _Posted(store, command)
    try:
        store.tell_packed(command, posted, written)
    except StoreUnavailable as error:
        posted.lost(error)
        if written is not None:
            written()


def call_in(command: bytes) -> Call:
    """A packed settlement as the journal keeps it."""
    reader = hiredis.Reader()
    reader.feed(command)
    _, _, _, base, *args = [word.decode() for word in reader.gets()]
    return Call("settle", [base], args)


def _sized(marks: Marks, name: str) -> int:
    """A number that is a word of a command, which says its length."""
    mark = marks.whole(name)
    _also(marks, mark, name)
    return mark


def _also(marks: Marks, number: int, name: str) -> None:
    marks.also(f"${len(str(number))}\r\n{number}", f"$%({name}_length)d\r\n%({name})d")


def _packed(script: Script, base: str, words: tuple[Argument, ...]) -> bytes:
    return pack(("EVALSHA", script.sha, 1, base, *words))
