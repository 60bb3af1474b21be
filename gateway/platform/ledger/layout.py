"""The shape of an entry and of its roll-ups: which columns there are, and how rows become sums. Writing, rebuilding and
reading are made of these, so that they cannot disagree.
"""

from __future__ import annotations

from gateway.platform.ledger.types import LATENCY_BOUNDS, MEMORY_MODEL, NO_KEY, State

ENTRY = "public.ledger_entry"
COLUMNS = (
    "occurred_at",
    "provider_cost_micros",
    "markup_micros",
    "charged_micros",
    "saved_micros",
    "day",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "memory_recalls",
    "operations",
    "latency_ms",
    "ttft_ms",
    "attempt",
    "status",
    "state",
    "usage_source",
    "calls",
    "cache_hit",
    "stream",
    "bounded",
    "own_credential",
    "org_id",
    "request_id",
    "key_id",
    "user_id",
    "project_id",
    "token_id",
    "parent_id",
    "surface",
    "model",
    "provider",
    "outcome",
    "price_version",
    "alias",
    "persona_id",
    "subject_id",
)
# Of a correction: the difference to the estimate instead of the late value itself.
DIFFERENCES = frozenset(
    {
        "provider_cost_micros",
        "markup_micros",
        "charged_micros",
        "prompt_tokens",
        "completion_tokens",
        "cached_tokens",
        "memory_recalls",
        "latency_ms",
        "calls",
    }
)
# Of a correction: the estimate's, so that what is summed by them becomes right.
KEPT = frozenset({"key_id", "user_id", "model", "surface", "own_credential"})

_NOT_COUNTED = f"state <> {State.CORRECTION:d} AND operations IS NULL"
# Estimates say when a dead worker was found, not how long anybody waited; corrections hold a difference.
_TIMED = f"state = {State.SETTLED:d} AND operations IS NULL"
_PLACE = f"width_bucket(latency_ms, ARRAY{list(LATENCY_BOUNDS)})"
PLACES = range(len(LATENCY_BOUNDS) + 1)
SUMS = {
    "calls": "sum(calls)",
    "entries": f"count(*) FILTER (WHERE {_NOT_COUNTED})",
    # An estimate counts as an error until its correction takes that back.
    "errors": f"count(*) FILTER (WHERE status >= 400 AND {_NOT_COUNTED})"
    f" - count(*) FILTER (WHERE status < 400 AND state = {State.CORRECTION:d})",
    "unpriced": f"count(*) FILTER (WHERE price_version = 'unpriced' AND state <> {State.ESTIMATED:d})",
    "cache_hits": "count(*) FILTER (WHERE cache_hit)",
    "prompt_tokens": "sum(prompt_tokens)",
    "completion_tokens": "sum(completion_tokens)",
    "cached_tokens": "sum(cached_tokens)",
    "memory_recalls": "sum(memory_recalls)",
    "memory_operations": "coalesce(sum(operations), 0)",
    "provider_cost_micros": "sum(provider_cost_micros)",
    "markup_micros": "sum(markup_micros)",
    "charged_micros": "sum(charged_micros)",
    "direct_micros": "coalesce(sum(provider_cost_micros) FILTER (WHERE own_credential), 0)",
    "saved_micros": "coalesce(sum(saved_micros), 0)",
    "timed": f"count(*) FILTER (WHERE {_TIMED})",
    "latency_ms": f"coalesce(sum(latency_ms) FILTER (WHERE {_TIMED}), 0)",
    "latency": "ARRAY["
    + ", ".join(f"(count(*) FILTER (WHERE {_TIMED} AND {_PLACE} = {place}))::integer" for place in PLACES)
    + "]",
}
HOURLY = {
    "org_id": "org_id",
    "hour": "date_trunc('hour', occurred_at, 'UTC')",
    "key_id": f"coalesce(key_id, '{NO_KEY}'::uuid)",
    "user_id": f"coalesce(user_id, '{NO_KEY}'::uuid)",
    "model": "model",
    "provider": "provider",
    "persona_id": "coalesce(persona_id, '')",
    "project_id": f"coalesce(project_id, '{NO_KEY}'::uuid)",
    # 2 to 5; 0 is a correction's, whatever status it brought.
    "status": f"(CASE WHEN state = {State.CORRECTION:d} THEN 0 ELSE status / 100 END)::smallint",
    "surface": "surface",
}
SUBJECT_DAILY = {
    "org_id": "org_id",
    "day": "day",
    "subject_id": "coalesce(subject_id, '')",
    "persona_id": "coalesce(persona_id, '')",
    "key_id": f"coalesce(key_id, '{NO_KEY}'::uuid)",
    "model": "model",
}
# The first roll-up, which counts a request's reseeding still goes by: fewer sums, one row a day, key and model.
DAILY = {"org_id": "org_id", "day": "day", "key_id": f"coalesce(key_id, '{NO_KEY}'::uuid)", "model": "model"}
DAILY_SUMS = {
    "calls": "sum(calls)",
    "entries": SUMS["entries"],
    "errors": f"count(*) FILTER (WHERE status >= 400 AND {_NOT_COUNTED})",
    "cache_hits": f"count(*) FILTER (WHERE cache_hit AND {_NOT_COUNTED})",
    **{
        name: f"sum({name})"
        for name in (
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "memory_recalls",
            "provider_cost_micros",
            "markup_micros",
            "charged_micros",
            "latency_ms",
        )
    },
}
MEMORY = MEMORY_MODEL


def roll_up(table: str, dimensions: dict[str, str], sums: dict[str, str], source: str) -> str:
    """The statement that adds the rows of ``source`` to a roll-up. Sorted by key, so that two writers of the same rows
    wait for each other instead of deadlocking."""
    order = ", ".join(str(number + 1) for number in range(len(dimensions)))
    return (
        f"INSERT INTO public.{table} AS kept ({', '.join([*dimensions, *sums])})"  # noqa: S608 - made of constants
        f" SELECT {', '.join([*dimensions.values(), *sums.values()])} FROM {source}"
        f" GROUP BY {order} ORDER BY {order}"
        f" ON CONFLICT ({', '.join(dimensions)}) DO UPDATE SET {', '.join(_added(name) for name in sums)}"
    )


def _added(name: str) -> str:
    if name != "latency":
        return f"{name} = kept.{name} + excluded.{name}"
    places = ", ".join(f"kept.latency[{place + 1}] + excluded.latency[{place + 1}]" for place in PLACES)
    return f"latency = ARRAY[{places}]"
