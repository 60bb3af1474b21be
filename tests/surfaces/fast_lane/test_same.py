"""The two lanes are held equal: whatever is sent down both is answered, recorded, charged and passed on alike."""

from __future__ import annotations

import json
import re
import uuid
from functools import partial
from typing import Any

import httpx
import pytest

from tests.harness import Org, eventually
from tests.surfaces.fast_lane.conftest import Lanes
from tests.surfaces.openai.support import LOOKUP, PATH, body

MODEL = "openai/fake:normal"
_PASSING = frozenset({"date", "x-request-id", "request-id", "ratelimit-remaining", "ratelimit-reset", "content-length"})
_IDS = re.compile(r"(req|chat|call|conv)_[0-9a-z]{24,26}")
_MOMENTS = frozenset({"at_ms", "ms", "waited_ms", "reset_s", "remaining", "used", "retry_after", "latency_ms"})
_OWN = frozenset({"request_id", "occurred_at"})


def plain(model: str = MODEL, **more: Any) -> dict[str, Any]:
    return body("Grüße an Zoë", model=model, **more)


ANSWERED = {
    "plain": plain(),
    "unknown-fields": plain(temperature=0.2, made_up={"model": 1}, metadata={"a": "b"}),
    "long": plain() | {"messages": [{"role": "user", "content": "word " * 40_000}]},
    "max-tokens": plain(max_tokens=9),
    "max-completion-tokens": plain(max_completion_tokens=9),
    "both-limits": plain(max_tokens=9, max_completion_tokens=8),
    "no-limit": plain(max_tokens=None),
    "alias": plain("quick"),
    "developer": plain() | {"messages": [{"role": "developer", "content": "be brief"}]},
    "tools": plain("openai/fake:tools,case=one", tools=[LOOKUP]),
    "two-answers": plain(n=2),
    "usage-asked": plain(stream_options={"include_usage": True}),
    "not-streamed": plain(stream_options=None),
    "reasoning": plain("openai/fake:reasoning"),
    "refusal": plain("openai/fake:refusal"),
    "nulls": plain("openai/fake:nulls"),
    "length": plain("openai/fake:length"),
    "no-usage": plain("openai/fake:normal,usage=none"),
    "priced": plain("openai/gpt-4o-mini"),
    "sandbox": plain("ikiro/sandbox"),
    "tier": plain("tier:fast"),
    "auto": plain("auto"),
    "flaky": plain("openai/fake:flaky,times=1,code=503"),
}
FAILED = {
    "bad-request": plain("openai/fake:status,code=400"),
    "unauthorized-there": plain("openai/fake:status,code=401"),
    "missing-there": plain("openai/fake:status,code=404"),
    "rate-limited-there": plain("openai/fake:status,code=429,retry_after=20"),
    "down": plain("openai/fake:status,code=500"),
    "not-json": plain("openai/fake:non-json"),
    "cut": plain("openai/fake:cut,after=2"),
    "broken": plain("openai/fake:break"),
    "error-first": plain("openai/fake:error-first"),
    "error-in-the-middle": plain("openai/fake:error-mid"),
    "stalled": plain("openai/fake:stall,after=2"),
    "silent": plain("openai/fake:delay,delay_ms=4000"),
    "no-such-provider": plain("nobody/model"),
    "no-model": {"messages": [{"role": "user", "content": "x"}]},
    "model-is-a-number": plain(5),  # type: ignore[arg-type]
    "no-messages": plain() | {"messages": []},
    "half-a-persona": plain(persona_id="brand-default"),
    "limit-too-low": plain(max_tokens=0),
    "larger-than-the-route-takes": plain() | {"messages": [{"role": "user", "content": "word " * 61_000}]},
}
ODD: dict[str, dict[str, Any]] = {
    "no-json": {"content": b"{"},
    "not-utf-8": {"content": b'{"model":"openai/fake:normal","messages":[{"role":"user","content":"\xff"}]}'},
    "escaped-key": {"content": rb'{"mod\u0065l":"openai/fake:normal","messages":[{"role":"user","content":"x"}]}'},
    "key-twice": {"content": b'{"model":"openai/x","messages":[{"role":"user","content":"x"}],"model":"quick"}'},
    "model-inside": {"json": plain(metadata={"model": "other"})},
    "no-content-type": {"content": json.dumps(plain()).encode()},
    "other-content-type": {"content": json.dumps(plain()).encode(), "headers": {"content-type": "text/plain"}},
    "query": {"json": plain(), "params": {"x": "1"}},
    "our-null-field": {"json": plain(persona_id=None)},
    "persona": {"json": plain(), "headers": {"x-persona-id": "brand-default", "x-subject-id": "lane-1"}},
    "vendor-key": {"json": plain(), "headers": {"authorization": ""}},
    "clients-headers": {"json": plain(), "headers": {"x-stainless-lang": "python", "openai-organization": "org-1"}},
    "trace": {"json": plain(), "headers": {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}},
    "no-store": {"json": plain(), "headers": {"cache-control": "no-store"}},
    "empty": {"content": b""},
}


def seen(org: Org, upstream: Any, key: str | None = None, *, stream: bool = False, **request: Any) -> dict[str, Any]:
    """What one request shows at once, without what no two requests share; ``recorded`` adds what it leaves."""
    upstream.reset()
    with org.client(key) as client:
        if stream and "json" in request:
            request = {**request, "json": {**request["json"], "stream": True}}
        answer = client.post(PATH, **request)
    return {
        "status": answer.status_code,
        "headers": {name: value for name, value in answer.headers.items() if name not in _PASSING},
        "limited": {name for name in answer.headers if name.startswith("ratelimit")},
        "body": _IDS.sub("id", _whole(answer)),
        "upstream": [_sent(call) for call in upstream.calls()],
        "record": answer.headers["x-request-id"],
    }


def recorded(org: Org, *found: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Likewise, with the records in place of the requests' ids, once they are complete."""
    return tuple({**one, "record": _record(org, one["record"])} for one in found)


def _whole(answer: httpx.Response) -> str:
    text = re.sub(r'"created": ?\d+', '"created":0', answer.text)
    return re.sub(r'("retry_after": ?)[\d.]+', r"\1 0", re.sub(r'("(?:at_ms|ms)": ?)[\d.]+', r"\1 0", text))


def _sent(call: dict[str, Any]) -> Any:
    # The order of keys and the spaces between them are no part of what was asked.
    return call["path"], call["body"], {name: call["headers"].get(name) for name in ("authorization", "traceparent")}


def _record(org: Org, request_id: str) -> Any:
    def settled() -> Any:
        found = client.get(f"/v1/requests/{request_id}")
        record = found.json() if found.status_code == 200 else {}
        # What was said of it comes a moment before what it cost.
        return record if record.get("price_version") or record.get("kind") == "refusal" else None

    with org.client() as client:
        return _lasting(eventually(settled, within=20))


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        passing = _MOMENTS | _OWN
        return {name: _lasting(part) for name, part in value.items() if name not in passing and name != "ttft_ms"}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", [*ANSWERED, *FAILED])
def test_lanes__same_body__leave_the_same(lanes: Lanes, upstream: Any, case: str, stream: bool) -> None:
    request = {**ANSWERED, **FAILED}[case]
    if case == "rate-limited-there":  # which is remembered for the model
        request = request | {"model": f"{request['model']},streamed={stream}"}
    fast, usual = recorded(
        lanes.fast.acme, *(seen(one.acme, upstream, stream=stream, json=request) for one in lanes.both())
    )
    assert differences(fast, usual) == []
    if case in ANSWERED:
        assert fast["status"] == 200, fast["body"]
        assert fast["record"]["outcome"] == "ok"


@pytest.mark.parametrize("case", ODD)
def test_lanes__odd_request__leave_the_same(lanes: Lanes, upstream: Any, case: str) -> None:
    request = ODD[case]
    if case == "vendor-key":
        request = {**request, "headers": {"authorization": "", "x-api-key": lanes.fast.acme.api_key}}
    fast, usual = recorded(lanes.fast.acme, *(seen(one.acme, upstream, **request) for one in lanes.both()))
    assert differences(fast, usual) == []


def test_lanes__other_organization__leaves_the_same_and_its_own(lanes: Lanes, upstream: Any) -> None:
    (acme,) = recorded(lanes.fast.acme, seen(lanes.fast.acme, upstream, json=plain()))
    fast, usual = recorded(lanes.fast.globex, *(seen(one.globex, upstream, json=plain()) for one in lanes.both()))
    assert differences(fast, usual) == []
    whose = [line for line in fast["record"]["decisions"] if line["stage"] == "auth"]
    assert whose != [line for line in acme["record"]["decisions"] if line["stage"] == "auth"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_lanes__other_method__leave_the_same(lanes: Lanes, method: str) -> None:
    told = []
    for product in lanes.both():
        with product.acme.client() as client:
            answer = client.request(method, PATH)
            told.append((answer.status_code, answer.headers.get("allow"), _IDS.sub("id", answer.text)))
    assert differences(*told) == []


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two values differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        return [line for name in names for line in differences(one.get(name), other.get(name), f"{place}/{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line for at, pair in enumerate(zip(one, other, strict=True)) for line in differences(*pair, f"{place}/{at}")
        ]
    return [] if one == other else [f"{place}: {one!r} != {other!r}"]


def _key(org: Org, **limits: Any) -> tuple[str, str]:
    with org.client() as client:
        made = (
            client.post("/v1/keys", json={"name": f"lane-{uuid.uuid4().hex[:8]}", **limits}).raise_for_status().json()
        )
        return made["secret"], made["id"]


@pytest.mark.parametrize(
    "limits",
    [
        {"models": ["openai/fake:normal"]},
        {"models": ["openai/other"]},
        {"persona_ids": ["brand-default"]},
        {"origins": ["https://app.example"]},
        {"ip_ranges": ["127.0.0.0/8"]},
        {"ip_ranges": ["192.0.2.0/24"]},
        {"scopes": ["chat"]},
        {"scopes": ["personas:read"]},
        {"rate": {"limit": 50, "window_s": 60}},
        {"budget": {"limit_micros": 5_000_000, "window": "month", "hard": True}},
        {"budget": {"limit_micros": 5_000_000, "window": "month", "hard": False}},
        {"on_disconnect": "drain"},
        {"cache_s": 60},
    ],
    ids=lambda limits: "-".join(f"{name}={json.dumps(value)[:24]}" for name, value in limits.items()),
)
def test_lanes__key_with_limits__leave_the_same(lanes: Lanes, upstream: Any, limits: dict[str, Any]) -> None:
    keys = [_key(lanes.fast.acme, **limits) for _ in lanes.both()]  # one for each: none uses up what the other has
    found = [
        seen(product.acme, upstream, secret, json=plain(user=key_id))
        for product, (secret, key_id) in zip(lanes.both(), keys, strict=True)
    ]
    told = [
        json.loads(json.dumps(one, default=sorted).replace(key_id, "its-key"))
        for one, (_, key_id) in zip(recorded(lanes.fast.acme, *found), keys, strict=True)
    ]
    assert differences(*told) == []


@pytest.mark.parametrize("wrong", ["ik_live_nothing", "revoked", "other-scheme", "in-quotes"])
def test_lanes__credential_that_does_not_work__refuse_alike(lanes: Lanes, upstream: Any, wrong: str) -> None:
    told = []
    secret, key_id = _key(lanes.fast.acme)
    for product in lanes.both():
        with product.acme.client(secret) as client:
            assert client.post(PATH, json=plain()).status_code == 200
    with lanes.fast.acme.client() as client:
        if wrong == "revoked":
            assert client.delete(f"/v1/keys/{key_id}").status_code in (200, 204)
    if wrong == "revoked":
        for product in lanes.both():
            with product.acme.client(secret) as client:
                eventually(lambda: client.get("/v1/me").status_code == 401, within=3)
    lines = {
        "revoked": f"Bearer {secret}", "other-scheme": f"Token {secret}", "in-quotes": f'Bearer "{secret}"',
    }  # fmt: skip
    for product in lanes.both():
        upstream.reset()
        sent = httpx.post(
            product.base_url + PATH, json=plain(), headers={"authorization": lines.get(wrong, f"Bearer {wrong}")}
        )
        told.append((sent.status_code, _IDS.sub("id", sent.text)))
        assert sent.status_code == 401
        assert upstream.calls() == []
    assert differences(*told) == []


def _cut_off(client: httpx.Client, model: str) -> Any:
    found = client.get("/v1/requests", params={"limit": 1, "model": model}).json()["data"]
    return found[0] if found and found[0]["outcome"] == "client_closed" and found[0]["price_version"] else None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_lanes__client_hangs_up__upstream_is_let_go_and_the_call_is_charged_alike(
    lanes: Lanes, upstream: Any, stream: bool
) -> None:
    told = []
    for product in lanes.both():
        upstream.reset()
        mark = uuid.uuid4().hex
        request = plain(
            f"openai/fake:{'normal,pace_ms=300' if stream else 'delay,delay_ms=1500'}", user=mark, stream=stream
        )
        with product.acme.client() as client:
            if stream:
                with client.stream("POST", PATH, json=request) as answer:
                    assert next(answer.iter_raw())
            else:
                with pytest.raises(httpx.ReadTimeout):
                    client.post(PATH, json=request, timeout=0.6)
            upstream.wait_for(lambda calls: any(call["disconnected"] for call in calls), seconds=5)
            told.append(_lasting(eventually(partial(_cut_off, client, request["model"]))))
    for one in told:
        one.pop("usage", None)  # what had arrived by then is a matter of time
        one.pop("completion_tokens", None)
    assert differences(*told) == []
