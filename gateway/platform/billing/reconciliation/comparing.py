"""What a provider billed beside what the ledger has, by day and model, and call by call where it names calls."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from gateway.core import ids
from gateway.core.errors import NotFound
from gateway.platform.billing.reconciliation.exports import Billed

# A dated version of a model and its short name are one model on a bill.
_DATED = re.compile(r"(-20\d{2}-\d{2}-\d{2}|-20\d{6}|@20\d{6}|-latest)$")
_PICOS_PER_MICRO = 10**6
LISTED = 1_000


@dataclass(slots=True)
class Account:
    """One side's sums. None: this side does not say."""

    cost_micros: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    requests: int | None = None

    def wire(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in self.__slots__}


Place = tuple[date, str]


@dataclass(frozen=True, slots=True)
class BilledSums:
    """A whole export: by day and model, and by request where it names them (pico-dollars)."""

    by_place: Mapping[Place, Account]
    by_request: Mapping[str, int]
    rows: int
    first: date | None
    last: date | None


def canonical(model: str) -> str:
    """The name by which both sides of a model meet: without its provider and the date of its version."""
    return _DATED.sub("", model.rpartition("/")[2].strip().lower())


def add_up(lines: Iterable[Billed]) -> BilledSums:
    """The sums of an export, read once."""
    picos: defaultdict[Place, int | None] = defaultdict(lambda: None)
    found: defaultdict[Place, Account] = defaultdict(Account)
    requests: defaultdict[str, int] = defaultdict(int)
    rows = 0
    for line in lines:
        rows += 1
        place = line.day, canonical(line.model)
        account = found[place]
        for name in ("prompt_tokens", "completion_tokens", "requests"):
            value = getattr(line, name)
            if value is not None:
                setattr(account, name, (getattr(account, name) or 0) + value)
        if line.picos is not None:
            picos[place] = (picos[place] or 0) + line.picos
        if line.request_id:
            requests[line.request_id] += line.picos or 0
    for place, amount in picos.items():
        found[place].cost_micros = None if amount is None else _micros(amount)
    days = [day for day, _ in found]
    return BilledSums(found, requests, rows, min(days, default=None), max(days, default=None))


def compare(ledger: Mapping[Place, Account], billed: BilledSums) -> dict[str, Any]:
    """Every day and model of either side with its verdict, and the sums of both."""
    groups = []
    totals = {"computed_micros": 0, "billed_micros": 0, "difference_micros": 0, "unexplained_groups": 0}
    priced = any(account.cost_micros is not None for account in billed.by_place.values())
    for place in sorted({*ledger, *billed.by_place}):
        ours, theirs = ledger.get(place), billed.by_place.get(place)
        computed = ours.cost_micros or 0 if ours else 0
        paid = theirs.cost_micros or 0 if theirs else 0
        verdict = _verdict(ours, theirs)
        totals["computed_micros"] += computed
        totals["billed_micros"] += paid
        totals["unexplained_groups"] += verdict != "equal"
        groups.append(
            {
                "day": place[0].isoformat(),
                "model": place[1],
                "computed": (ours or Account()).wire(),
                "billed": (theirs or Account()).wire(),
                "difference_micros": paid - computed if priced else None,
                "verdict": verdict,
            }
        )
    totals["difference_micros"] = totals["billed_micros"] - totals["computed_micros"]
    if not priced:
        totals["billed_micros"] = totals["difference_micros"] = None  # type: ignore[assignment]
    return {"totals": totals, "groups": groups}


def compare_calls(ledger: Mapping[UUID, int], billed: BilledSums) -> dict[str, Any]:
    """The calls that only one side knows, and those whose cost differs by a micro-dollar or more; at most 1,000 of each
    are listed, all are counted."""
    known, strange = _named(billed.by_request)
    only_billed = sorted(ids.public("req", request_id) for request_id in known.keys() - ledger.keys()) + strange
    only_ledger = sorted(ids.public("req", request_id) for request_id in ledger.keys() - known.keys())
    differing = [
        {"request_id": ids.public("req", one), "computed_micros": ledger[one], "billed_micros": _micros(known[one])}
        for one in sorted(known.keys() & ledger.keys())
        if abs(_micros(known[one]) - ledger[one]) >= 1
    ]
    return {
        "only_billed": {"count": len(only_billed), "request_ids": only_billed[:LISTED]},
        "only_in_ledger": {"count": len(only_ledger), "request_ids": only_ledger[:LISTED]},
        "differing": {"count": len(differing), "calls": differing[:LISTED]},
    }


def _named(by_request: Mapping[str, int]) -> tuple[dict[UUID, int], list[str]]:
    """Our own requests, and names that are nobody's here."""
    known: dict[UUID, int] = {}
    strange: list[str] = []
    for name, picos in by_request.items():
        try:
            known[ids.parse("req", name)] = picos
        except NotFound:
            strange.append(name[:128])
    return known, sorted(strange)


def _verdict(ours: Account | None, theirs: Account | None) -> str:
    if ours is None:
        return "only_billed"
    if theirs is None:
        return "only_in_ledger"
    for name in Account.__slots__:
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine is not None and other is not None and mine != other:
            return "differs"
    return "equal"


def _micros(picos: int) -> int:
    return (picos + _PICOS_PER_MICRO // 2) // _PICOS_PER_MICRO
