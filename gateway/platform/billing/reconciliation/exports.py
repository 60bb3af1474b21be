"""Reading the CSV files that providers export, by their columns: OpenAI's usage, costs and older activity, Anthropic's
usage and cost, and a plain one of our own description.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from gateway.platform.billing.errors import UnreadableExport

PICOS_PER_DOLLAR = 10**12
_MOST_ROWS = 1_000_000
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Billed:
    """One line of a provider's account. None: the export does not say. Money is pico-dollars: providers bill less than
    a micro-dollar at a time."""

    day: date
    model: str
    picos: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    requests: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """One kind of file: its ``columns`` tell it from the others, ``provider`` is whose it is unless said otherwise."""

    name: str
    provider: str | None
    columns: frozenset[str]
    read: Callable[[Row], Billed]


def _openai_usage(row: Row) -> Billed:
    return Billed(
        _day(row.get("start_time_iso") or row.get("start_time") or ""),
        row["model"],
        prompt_tokens=_count(row["input_tokens"]),
        completion_tokens=_count(row.get("output_tokens")),
        requests=_count(row.get("num_model_requests")),
    )


def _openai_costs(row: Row) -> Billed:
    day = _day(row.get("start_time_iso") or row.get("start_time") or "")
    return Billed(day, row["line_item"].partition(",")[0].strip(), picos=_dollars(row["amount_value"]))


def _openai_activity(row: Row) -> Billed:
    return Billed(
        _day(row.get("timestamp") or row.get("local_timestamp") or ""),
        row["model"],
        prompt_tokens=_count(row["n_context_tokens_total"]),
        completion_tokens=_count(row["n_generated_tokens_total"]),
        requests=_count(row.get("n_requests")),
    )


_ANTHROPIC_INPUT = ("no_cache", "cache_write_5m", "cache_write_1h", "cache_read")


def _anthropic_usage(row: Row) -> Billed:
    return Billed(
        _day(row["usage_date_utc"]),
        row.get("model_version") or row.get("model") or "",
        prompt_tokens=sum(_count(row.get(f"usage_input_tokens_{kind}")) for kind in _ANTHROPIC_INPUT),
        completion_tokens=_count(row["usage_output_tokens"]),
    )


def _anthropic_cost(row: Row) -> Billed:
    model = row.get("model") or row.get("model_version") or ""
    return Billed(_day(row["usage_date_utc"]), model, picos=_dollars(row["cost_usd"]))


def _plain(row: Row) -> Billed:
    micros, dollars = row.get("cost_micros"), row.get("cost_usd")
    picos = _dollars(dollars) if dollars else _count(micros) * 10**6 if micros else None
    prompt, completion = row.get("input_tokens"), row.get("output_tokens")
    return Billed(
        _day(row["date"]),
        row["model"],
        picos,
        _count(prompt) if prompt else None,
        _count(completion) if completion else None,
        _count(row["requests"]) if row.get("requests") else None,
        row.get("request_id") or None,
    )


EXPORTS = (
    Export("openai_costs", "openai", frozenset({"amount_value", "line_item"}), _openai_costs),
    Export("openai_usage", "openai", frozenset({"model", "input_tokens", "num_model_requests"}), _openai_usage),
    Export(
        "openai_activity",
        "openai",
        frozenset({"model", "n_context_tokens_total", "n_generated_tokens_total"}),
        _openai_activity,
    ),
    Export(
        "anthropic_usage",
        "anthropic",
        frozenset({"usage_date_utc", "usage_input_tokens_no_cache", "usage_output_tokens"}),
        _anthropic_usage,
    ),
    Export("anthropic_cost", "anthropic", frozenset({"usage_date_utc", "cost_usd"}), _anthropic_cost),
    Export("plain", None, frozenset({"date", "model"}), _plain),
)


def recognise(data: bytes) -> tuple[Export, Iterator[Billed]]:
    """Which export this is, and its lines as they are read. Raises UnreadableExport at once for a file that is none,
    and while reading for a line that cannot be read, naming it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableExport("The file is not UTF-8.") from None
    if "\0" in text:
        raise UnreadableExport("The file is no CSV: it has NUL characters.")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(_lines(reader), [])]
    export = next((one for one in EXPORTS if one.columns <= set(header)), None)
    if export is None:
        wanted = "; ".join(f"{one.name}: {', '.join(sorted(one.columns))}" for one in EXPORTS)
        raise UnreadableExport(f"The columns are of no known export. Known ones have at least these ({wanted}).")
    return export, _read(export, reader, header)


def _read(export: Export, reader: Iterator[list[str]], header: list[str]) -> Iterator[Billed]:
    for number, cells in enumerate(_lines(reader), start=2):
        if number > _MOST_ROWS:
            raise UnreadableExport(f"The file has more than {_MOST_ROWS} lines.")
        if not any(cell.strip() for cell in cells):
            continue
        try:
            yield export.read(dict(zip(header, (cell.strip() for cell in cells), strict=False)))
        except (KeyError, ValueError, InvalidOperation, OverflowError) as error:
            raise UnreadableExport(f"Line {number} cannot be read: {error!s:.200}") from None


def _lines(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableExport(f"The file is no CSV: {error}") from None


def _day(text: str) -> date:
    """A day, a moment or seconds since 1970."""
    if text.isdigit() and len(text) >= 9:
        return datetime.fromtimestamp(int(text), UTC).date()
    if len(text) > 10:
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return date.fromisoformat(text)


def _count(text: str | None) -> int:
    number = Decimal(text or "0")
    if number != number.to_integral_value() or not 0 <= number < 10**15:
        raise ValueError(f"{text} is not a count")
    return int(number)


def _dollars(text: str) -> int:
    amount = Decimal(text.lstrip("$") or "0")
    if not amount.is_finite() or abs(amount) > 10**9:
        raise ValueError(f"{text} is not an amount")
    return int((amount * PICOS_PER_DOLLAR).to_integral_value())
