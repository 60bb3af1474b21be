"""A provider's bill beside the ledger: each known export is read, and every difference is listed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.core import ids
from gateway.core.errors import BadRequest
from gateway.core.journal import OPERATOR
from gateway.platform.billing import reconciliation
from gateway.platform.billing.errors import UnknownReconciliation, UnreadableExport
from gateway.platform.billing.reconciliation import running
from gateway.platform.billing.reconciliation.comparing import canonical
from gateway.platform.billing.reconciliation.exports import Billed, recognise
from gateway.platform.operations import dispatch, execution
from gateway.platform.operations import selectors as operations
from tenants.context import scope
from tests.platform.billing.support import put
from tests.platform.ledger.support import arrival, request_id_at

DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
_KNOWN = [
    (
        "openai_usage",
        (
            "start_time,end_time,start_time_iso,project_id,num_model_requests,model,input_tokens,output_tokens\n"
            "1772409600,1772496000,2026-03-02T00:00:00+00:00,p,3,gpt-4o-mini-2024-07-18,3000,600\n"
        ),
        Billed(date(2026, 3, 2), "gpt-4o-mini-2024-07-18", None, 3000, 600, 3),
    ),
    (
        "openai_costs",
        (
            "start_time,end_time,amount_value,amount_currency,line_item\n"
            '1772409600,1772496000,0.0000301234567,usd,"gpt-4o-mini-2024-07-18, input"\n'
        ),
        Billed(date(2026, 3, 2), "gpt-4o-mini-2024-07-18", 30_123_457),
    ),
    (
        "openai_activity",
        (
            "timestamp,usage_type,model,n_requests,n_context_tokens_total,n_generated_tokens_total\n"
            "2026-03-02 00:00:00 UTC,text,gpt-4o,2,50,7\n"
        ),
        Billed(date(2026, 3, 2), "gpt-4o", None, 50, 7, 2),
    ),
    (
        "anthropic_usage",
        (
            "\ufeffusage_date_utc,model_version,workspace,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
            "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
            "2026-03-02,claude-haiku-4-5-20251001,w,10,20,30,40,5\n"
        ),
        Billed(date(2026, 3, 2), "claude-haiku-4-5-20251001", None, 100, 5),
    ),
    (
        "anthropic_cost",
        "usage_date_utc,model,token_type,cost_usd\n2026-03-02,Claude Haiku 4.5,input,0.01\n",
        Billed(date(2026, 3, 2), "Claude Haiku 4.5", 10**10),
    ),
    (
        "plain",
        "Date,Model,cost_micros,input_tokens,output_tokens,requests,request_id\n2026-03-02,m,12,1,2,1,req_x\n",
        Billed(date(2026, 3, 2), "m", 12_000_000, 1, 2, 1, "req_x"),
    ),
]


@pytest.mark.parametrize(("name", "text", "first"), _KNOWN, ids=[name for name, _, _ in _KNOWN])
def test_recognise__known_exports__are_read_by_their_columns(name: str, text: str, first: Billed) -> None:
    export, lines = recognise(text.encode())
    assert (export.name, list(lines)) == (name, [first])


@pytest.mark.parametrize(
    "data",
    [b"", b"a,b\n1,2\n", b"\xff\xfe", b"date,model,cost_usd\n2026-03-02,m,free\n", b"date,model\nyesterday,m\n",
     b"date,model,requests\n2026-03-02,m,-1\n", b"date,model,cost_usd\n2026-03-02,m,NaN\n", b"date,model\n2026-03-02\n",
     b"date,model\0\n"],
)  # fmt: skip
def test_recognise__what_is_no_export__is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableExport):
        list(recognise(data)[1])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("anthropic/claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("own/models/Llama", "llama"),
    ],
)
def test_canonical__dated_and_short_names__are_one_model(ours: str, theirs: str) -> None:
    assert canonical(ours) == canonical(theirs)


def _calls(org_id: Any, number: int, **facts: Any) -> list[Any]:
    made = [request_id_at(DAY) for _ in range(number)]
    common = {"model": "openai/gpt-4o-mini", "provider": "openai", **facts}
    put(*(arrival(org_id, request_id, **common) for request_id in made))
    return made


def _import(ref: Any, text: str, **options: Any) -> tuple[Any, Any]:
    with scope(ref):
        given = {"provider": "openai", "actor": OPERATOR, "request_id": ids.uuid7(), **options}
        return reconciliation.import_export(text.encode(), **given)


def test_import__a_bill_that_fits__is_equal_and_another_organization_sees_nothing(acme: Any, globex: Any) -> None:
    _calls(acme.id, 3)
    _calls(globex.id, 5)
    text = "date,model,cost_usd,input_tokens,output_tokens,requests\n"
    text += "2026-03-02,gpt-4o-mini-2024-07-18,0.00003,3000,600,3\n"
    found, operation = _import(acme, text)
    assert operation is None
    assert (found.state, found.first, found.rows) == ("done", date(2026, 3, 2), 1)
    assert found.result["totals"] == {
        "computed_micros": 30, "billed_micros": 30, "difference_micros": 0, "unexplained_groups": 0,
    }  # fmt: skip
    assert [group["verdict"] for group in found.result["groups"]] == ["equal"]
    with scope(globex):
        with pytest.raises(UnknownReconciliation):
            reconciliation.get(found.id)
        assert reconciliation.list_page(limit=10, after=None).data == []
    with scope(acme):
        assert reconciliation.get(found.id) == found
        assert [one.id for one in reconciliation.list_page(limit=10, after=None).data] == [found.id]


def test_import__differences__are_listed_by_day_and_model_and_call_by_call(acme: Any) -> None:
    same, other, missing = _calls(acme.id, 3)
    ghost = request_id_at(DAY)

    def line(request_id: Any, micros: int) -> str:
        return f"2026-03-02,gpt-4o-mini,{micros},{ids.public('req', request_id)}\n"

    text = "date,model,cost_micros,request_id\n" + line(same, 10) + line(other, 14) + line(ghost, 9)
    found, _ = _import(acme, text + "2026-03-04,gpt-5,7,chatcmpl-1\n")
    shown = ("day", "model", "verdict", "difference_micros")
    assert [tuple(group[name] for name in shown) for group in found.result["groups"]] == [
        ("2026-03-02", "gpt-4o-mini", "differs", 3),
        ("2026-03-04", "gpt-5", "only_billed", 7),
    ]  # fmt: skip
    assert found.result["calls"] == {
        "only_billed": {"count": 2, "request_ids": [ids.public("req", ghost), "chatcmpl-1"]},
        "only_in_ledger": {"count": 1, "request_ids": [ids.public("req", missing)]},
        "differing": {
            "count": 1,
            "calls": [{"request_id": ids.public("req", other), "computed_micros": 10, "billed_micros": 14}],
        },
    }
    assert found.result["totals"]["difference_micros"] == 10


def test_import__usage_without_prices__compares_tokens_and_says_nothing_of_money(acme: Any) -> None:
    _calls(acme.id, 1)
    found, _ = _import(acme, _KNOWN[0][1], provider=None)
    assert (found.provider, found.result["totals"]["billed_micros"]) == ("openai", None)
    [group] = found.result["groups"]
    assert (group["verdict"], group["difference_micros"], group["computed"]["prompt_tokens"]) == ("differs", None, 1000)


def test_import__a_large_file__is_a_workers_and_its_text_is_gone_afterwards(
    acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "INLINE_BYTES", 10)
    monkeypatch.setattr(dispatch, "_send", lambda ref, operation_id: None)
    found, operation = _import(acme, "date,model,cost_usd\n2026-03-02,m,1\n")
    assert (found.state, found.result) == ("queued", None)
    bad, failing = _import(acme, "date,model,cost_usd\n2026-03-02,m,1\n2026-03-02,m,much\n")
    with scope(acme):
        for one in (operation, failing):
            execution.run(one.id)
        assert operations.get(operation.id).result == {"reconciliation_id": found.public_id}
        done = reconciliation.get(found.id)
        assert (done.state, done.result["totals"]["billed_micros"]) == ("done", 1_000_000)
        assert operations.get(failing.id).error["code"] == "unreadable_export"
        assert reconciliation.get(bad.id).state == "failed"
        sources = running.ReconciliationRow.objects.values_list("source", flat=True)
        assert list(sources) == [None, None]


def test_import__unreadable_or_unnamed__leaves_nothing(acme: Any) -> None:
    for text, provider, error in (
        ("date,model\n", "openai", UnreadableExport),
        ("date,model\n2024-01-01,m\n2026-01-01,m\n", "openai", UnreadableExport),
        ("date,model\n2026-03-02,m\n", None, BadRequest),
    ):
        with pytest.raises(error):
            _import(acme, text, provider=provider)
    with scope(acme):
        assert reconciliation.list_page(limit=10, after=None).data == []
