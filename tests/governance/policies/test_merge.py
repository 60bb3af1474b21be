"""The merge of overlays: by example where people read it, by property where it must never fail."""

from __future__ import annotations

import random
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import Forbidden
from gateway.governance.policies.documents import from_json, to_json
from gateway.governance.policies.guards import Action, Direction, Guard
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import (
    Approval,
    Fields,
    Level,
    Overlay,
    RedactMode,
    RequestedPolicy,
    Retention,
    Writes,
)


def org(locks: Fields | None = None, defaults: Fields | None = None, precedence: int = 50) -> Overlay:
    return Overlay(Level.ORG, "", locks or Fields(), defaults or Fields(), precedence)


def at(
    level: Level, target: str, locks: Fields | None = None, defaults: Fields | None = None, precedence: int = 50
) -> Overlay:
    return Overlay(level, target, locks or Fields(), defaults or Fields(), precedence)


def line(policy, field):
    return next(one for one in policy.trace if one.field == field)


def test_merge__nothing_set__is_what_is_built_in() -> None:
    policy = merge([])
    assert (policy.do, policy.dont, policy.disclaimers) == ((), (), ())
    assert (policy.redact_mode, policy.memory_scopes, policy.max_output_tokens) == (RedactMode.DEFAULT, None, None)
    assert (policy.approval, policy.auto_types, policy.min_confidence) == (Approval.MANUAL, (), 0.0)
    assert policy.model_problem("any/model") is None
    assert line(policy, "redact_mode").set_by == "built-in"
    assert line(policy, "redact_mode").rule == "nobody set it"


@pytest.mark.parametrize(
    ("lock", "default", "wish", "value", "set_by", "locked_by"),
    [
        (None, None, "off", "off", "request", None),
        (None, "strict", None, "strict", "org", None),
        (None, "strict", "off", "off", "request", None),
        ("strict", None, "off", "strict", "org", "org"),
        ("default", None, "strict", "strict", "request", "org"),
        ("default", "off", None, "default", "org", "org"),
        ("off", None, None, "default", "built-in", "org"),
    ],
)
def test_redact_mode__lock_default_and_wish__the_stricter_lock_wins(
    lock, default, wish, value, set_by, locked_by
) -> None:
    sides = [Fields(redact_mode=RedactMode(mode) if mode else None) for mode in (lock, default)]
    policy = merge([org(*sides)], request=RequestedPolicy(redact_mode=wish))
    found = line(policy, "redact_mode")
    assert (policy.redact_mode, found.set_by, found.locked_by) == (value, set_by, locked_by)


def test_memory_scopes__lock_key_and_wish__intersect() -> None:
    policy = merge(
        [org(Fields(memory_scopes=("gmail", "org_kb")))],
        request=RequestedPolicy(memory_scopes=("gmail", "drive", "org_kb"), key_memory_scopes=("drive", "org_kb")),
    )
    assert policy.memory_scopes == ("org_kb",)
    assert line(policy, "memory_scopes").locked_by == "org, key"
    assert merge([], request=RequestedPolicy(key_memory_scopes=("a",))).memory_scopes == ("a",)
    assert merge([org(Fields(memory_scopes=()))]).memory_scopes == ()
    assert merge([org(None, Fields(memory_scopes=("a",)))]).memory_scopes == ("a",)
    assert merge(
        [org(None, Fields(memory_scopes=("a",)))], request=RequestedPolicy(memory_scopes=("b",))
    ).memory_scopes == ("b",)


def test_max_output_tokens__wish_above_the_lock__is_cut() -> None:
    locked = [org(Fields(max_output_tokens=500))]
    assert merge(locked, request=RequestedPolicy(max_output_tokens=9_000)).max_output_tokens == 500
    assert merge(locked, request=RequestedPolicy(max_output_tokens=100)).max_output_tokens == 100
    assert merge(locked).max_output_tokens == 500
    assert (
        merge(
            [org(None, Fields(max_output_tokens=500))], request=RequestedPolicy(max_output_tokens=900)
        ).max_output_tokens
        == 900
    )


def test_defaults__most_specific_wins_and_precedence_inside_a_level() -> None:
    overlays = [
        org(None, Fields(redact_mode=RedactMode.OFF)),
        at(Level.TEAM, "a", None, Fields(redact_mode=RedactMode.STRICT), 10),
        at(Level.TEAM, "b", None, Fields(redact_mode=RedactMode.DEFAULT), 20),
    ]
    assert line(merge(overlays), "redact_mode").set_by == "team:b"
    overlays.append(at(Level.USER, "ann", None, Fields(redact_mode=RedactMode.OFF)))
    assert line(merge(overlays), "redact_mode").set_by == "user:ann"


def test_lists__add_up__and_dont_beats_do() -> None:
    policy = merge(
        [org(Fields(do=("Be brief",), dont=("Swear",)), Fields(disclaimers=("Not legal advice.",)))],
        persona_do=("be  BRIEF.", "Tell jokes", "Swear"),
        persona_dont=("Talk politics",),
    )
    assert policy.do == ("Be brief", "Tell jokes")
    assert policy.dont == ("Swear", "Talk politics")
    assert policy.disclaimers == ("Not legal advice.",)
    dropped = next(one for one in policy.trace if str(one.value).startswith("dropped"))
    assert (dropped.field, dropped.set_by, dropped.locked_by, dropped.rule) == ("do", "persona", "org", "dont beats do")


def test_lists__locked_do__is_not_argued_away_from_below() -> None:
    locked = org(Fields(do=("Cite sources",)))
    assert merge([locked], persona_dont=("Cite sources",)).do == ("Cite sources",)
    assert merge([locked, at(Level.USER, "ann", Fields(dont=("Cite sources",)))]).dont == ()
    both = org(Fields(do=("Cite sources",), dont=("Cite sources",)))
    assert (merge([both]).do, merge([both]).dont) == ((), ("Cite sources",))


def test_models__locked_list_and_deny_list__refuse_with_the_line() -> None:
    policy = merge([org(Fields(allowed_models=("openai/*", "ikiro/*"), denied_models=("openai/gpt-3*",)))])
    policy.check_model("OpenAI/gpt-5")
    for model, field in (("anthropic/claude", "allowed_models"), ("openai/gpt-3.5-turbo", "denied_models")):
        with pytest.raises(Forbidden) as refused:
            policy.check_model(model)
        assert (refused.value.http_status, refused.value.code) == (403, "policy_refused")
        assert refused.value.extra["policy"]["field"] == field
        assert refused.value.extra["policy"]["locked_by"] == "org"


def test_models__several_locked_lists__must_all_match() -> None:
    policy = merge(
        [org(Fields(allowed_models=("openai/*",))), at(Level.TEAM, "a", Fields(allowed_models=("*/gpt-5",)))]
    )
    assert policy.model_problem("openai/gpt-5") is None
    assert policy.model_problem("openai/gpt-4").set_by == "team:a"
    assert policy.model_problem("other/gpt-5").set_by == "org"


def test_writes__auto__only_for_listed_types_with_enough_confidence() -> None:
    auto = Writes(Approval.AUTO, ("memory.*",), 0.8)
    policy = merge([org(None, Fields(writes=auto))])
    assert policy.auto_approves("memory.upsert", 0.8)
    assert not policy.auto_approves("memory.upsert", 0.79)
    assert not policy.auto_approves("calendar.create", 1.0)
    locked = [org(Fields(writes=Writes(Approval.MANUAL)), Fields(writes=auto))]
    assert not merge(locked).auto_approves("memory.upsert", 1.0)
    narrowed = [org(Fields(writes=Writes(auto_types=("calendar.create",))), Fields(writes=auto))]
    assert merge(narrowed).auto_types == ()
    assert not merge([]).auto_approves("memory.upsert", 1.0)


def test_tools_and_writes__lists_of_several_levels__refuse_with_the_line() -> None:
    policy = merge(
        [
            org(Fields(allowed_tools=("calendar_*", "search"), denied_tools=("*_delete",))),
            at(Level.TEAM, "a", None, Fields(write_targets=("memory.*", "calendar.create:work*"))),
        ]
    )
    policy.check_tool("Calendar_Create")
    policy.check_write("memory.upsert")
    policy.check_write("calendar.create", "work/1")
    with pytest.raises(Forbidden) as refused:
        policy.check_tool("calendar_delete")
    assert refused.value.extra["policy"] == {
        "field": "denied_tools", "value": "*_delete", "set_by": "org", "locked_by": "org", "rule": "deny-lists add up"
    }  # fmt: skip
    assert policy.tool_problem("shell").field == "allowed_tools"
    for write_type, target in (("calendar.create", "home"), ("calendar.create", ""), ("email.draft", "work")):
        with pytest.raises(Forbidden) as refused:
            policy.check_write(write_type, target)
        assert (refused.value.code, refused.value.extra["policy"]["set_by"]) == ("policy_refused", "team:a")


def test_retention__locks_of_two_levels__the_smaller_wins() -> None:
    policy = merge(
        [
            org(Fields(retention=Retention(conversation_days=30)), Fields(retention=Retention(body_days=9))),
            at(Level.USER, "ann", Fields(retention=Retention(conversation_days=7, body_days=20))),
        ]
    )
    assert policy.retention == Retention(7, 9)
    assert line(policy, "retention.conversation_days").locked_by == "user:ann"


def test_auto_types__locked_and_wanted_globs__meet_where_one_covers_the_other() -> None:
    wanted = [
        org(Fields(writes=Writes(auto_types=("memory.*",))), Fields(writes=Writes(auto_types=("memory.upsert",))))
    ]
    assert merge(wanted).auto_types == ("memory.upsert",)
    other = [org(Fields(writes=Writes(auto_types=("memory.upsert",))), Fields(writes=Writes(auto_types=("memory.*",))))]
    assert merge(other).auto_types == ("memory.upsert",)
    apart = [org(Fields(writes=Writes(auto_types=("a?*",))), Fields(writes=Writes(auto_types=("a*",))))]
    assert merge(apart).auto_types == ()


@pytest.mark.parametrize("locked", ["[!c]*", "?*", "[!a-d]*.create", "*[!e]"])
def test_auto_types__locked_class__covers_nothing_but_itself(locked: str) -> None:
    overlays = [
        org(Fields(writes=Writes(auto_types=(locked,))), Fields(writes=Writes(Approval.AUTO))),
        at(Level.USER, "ann", None, Fields(writes=Writes(auto_types=("*.create", locked)))),
    ]
    policy = merge(overlays)
    assert policy.auto_types == (locked,)
    assert policy.auto_approves("memory.create", 1) is fnmatchcase("memory.create", locked)
    assert policy.auto_approves("calendar.create", 1) is fnmatchcase("calendar.create", locked)


def test_guardrails__lock_and_defaults__stand_side_by_side_each_with_its_owner() -> None:
    policy = merge(
        [
            org(
                Fields(guardrails=(Guard("injection", Action.FLAG, threshold=0.3),)),
                Fields(guardrails=(Guard("secrets", Action.BLOCK, Action.MASK),)),
            ),
            at(
                Level.TEAM, "a", None,
                Fields(
                    guardrails=(
                        Guard("injection", Action.BLOCK, threshold=0.9), Guard("secrets", Action.OFF),
                        Guard("pii.email", Action.BLOCK, shadow=True),
                    )
                ),
            ),
        ]
    )  # fmt: skip
    found = [
        (rule.name, rule.direction.value, rule.action.value, rule.set_by, rule.shadow) for rule in policy.guardrails
    ]
    assert found == [
        ("injection", "input", "flag", "org", False),
        ("injection", "input", "block", "team:a", False),
        ("pii.email", "input", "block", "team:a", True),
        ("secrets", "output", "mask", "org", False),
    ]
    assert line(policy, "guardrails.secrets.input").value == "off"
    assert policy.guards(Direction.OUTPUT) == policy.guardrails[-1:]


SENTENCES = st.lists(st.sampled_from(["a", "A ", "b", "c.", "d"]), max_size=3).map(tuple)
NAMES = st.none() | st.lists(st.sampled_from(["gmail", "drive", "chat"]), max_size=3).map(tuple)
CLASSES = ["[!c]*", "[a-m]*", "?*", "*[!x]"]
GLOBS = st.none() | st.lists(st.sampled_from(["cal*", "*_x", "search", *CLASSES]), max_size=2).map(tuple)
GUARDS = st.lists(
    st.builds(
        Guard, st.sampled_from(["secrets", "pii.email", "injection", "blocklist.a"]),
        st.none() | st.sampled_from(Action), st.none() | st.sampled_from(Action), st.booleans(),
        st.sampled_from([0.3, 0.6]), phrases=st.just(("x",)),
    ),
    max_size=3, unique_by=lambda guard: guard.name,
).map(
    lambda guards: tuple(
        guard if guard.kind == "blocklist" else replace(guard, phrases=())
        for guard in sorted(guards, key=lambda guard: guard.name)
    )
)  # fmt: skip
FIELDS = st.builds(
    Fields, do=SENTENCES, dont=SENTENCES, disclaimers=SENTENCES, redact_mode=st.none() | st.sampled_from(RedactMode),
    memory_scopes=NAMES,
    allowed_models=st.none() | st.lists(st.sampled_from(["openai/*", "*/gpt-5", "*", *CLASSES]), max_size=2).map(tuple),
    denied_models=st.lists(st.sampled_from(["openai/*", "x/*", *CLASSES]), max_size=1).map(tuple),
    writes=st.builds(
        Writes, st.none() | st.sampled_from(Approval),
        st.none() | st.lists(st.sampled_from(["memory.upsert", "x", *CLASSES, "*.create", "c*"])).map(tuple),
        st.none() | st.floats(0, 1),
    ),
    max_output_tokens=st.none() | st.integers(1, 99), allowed_tools=GLOBS, write_targets=GLOBS,
    denied_tools=st.lists(st.sampled_from(["cal*", "b", *CLASSES]), max_size=1).map(tuple),
    retention=st.builds(Retention, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)), guardrails=GUARDS,
)  # fmt: skip
OVERLAYS = st.lists(
    st.builds(Overlay, st.sampled_from(Level), st.sampled_from(["", "t", "u"]), FIELDS, FIELDS, st.integers(0, 100)),
    max_size=4, unique_by=lambda overlay: (overlay.level, overlay.target),
)  # fmt: skip
REQUESTS = st.builds(
    RequestedPolicy, st.none() | st.sampled_from(RedactMode), NAMES, NAMES, st.none() | st.integers(1, 99)
)
STRICT = list(RedactMode)


@settings(max_examples=60, deadline=None)
@given(OVERLAYS, REQUESTS, SENTENCES, SENTENCES, st.randoms(use_true_random=False))
def test_merge__any_order__is_the_same(overlays, request, do, dont, shuffler: random.Random) -> None:
    shuffled = list(overlays)
    shuffler.shuffle(shuffled)
    given_so, given_other = (
        merge(order, persona_do=do, persona_dont=dont, request=request) for order in (overlays, shuffled)
    )
    assert given_so == given_other


@settings(max_examples=60, deadline=None)
@given(OVERLAYS, REQUESTS)
def test_merge__any_lock__is_never_loosened(overlays, request) -> None:
    policy = merge(overlays, request=request)
    for locks in (overlay.locks for overlay in overlays):
        holds_values(policy, locks)
        holds_lists(policy, locks)
        holds_guardrails(policy, locks)
    if request.key_memory_scopes is not None:
        assert set(policy.memory_scopes) <= set(request.key_memory_scopes)


def holds_values(policy, locks: Fields) -> None:
    """What has an order of strictness is as strict as the lock, or stricter."""
    if locks.redact_mode:
        assert STRICT.index(policy.redact_mode) >= STRICT.index(locks.redact_mode)
    if locks.max_output_tokens is not None:
        assert policy.max_output_tokens <= locks.max_output_tokens
    if locks.writes.approval == Approval.MANUAL:
        assert policy.approval == Approval.MANUAL
    if locks.writes.min_confidence is not None:
        assert policy.min_confidence >= locks.writes.min_confidence
    for days in ("conversation_days", "body_days"):
        if getattr(locks.retention, days) is not None:
            assert getattr(policy.retention, days) <= getattr(locks.retention, days)


def holds_lists(policy, locks: Fields) -> None:
    """What a lock refuses by itself is refused."""
    if locks.memory_scopes is not None:
        assert set(policy.memory_scopes) <= set(locks.memory_scopes)
    if locks.writes.auto_types is not None:
        for write_type in ("memory.upsert", "memory.create", "calendar.create", "x"):
            if any(fnmatchcase(write_type, glob) for glob in policy.auto_types):
                assert any(fnmatchcase(write_type, glob) for glob in locks.writes.auto_types)
    alone = merge([org(locks)])
    for name in ("openai/gpt-5", "x/y", "cal_x", "search", "b"):
        for problem in ("model_problem", "tool_problem", "write_problem"):
            assert getattr(alone, problem)(name) is None or getattr(policy, problem)(name) is not None


def holds_guardrails(policy, locks: Fields) -> None:
    for guard in locks.guardrails:
        for direction in Direction:
            action = guard.on(direction)
            if action not in (None, Action.OFF):
                rules = [(rule.guard, rule.action, rule.locked) for rule in policy.guards(direction)]
                assert (guard, action, True) in rules


@settings(max_examples=60, deadline=None)
@given(OVERLAYS, REQUESTS)
def test_merge__more_overlays_of_locks__only_tighten(overlays, request) -> None:
    locks_only = [Overlay(o.level, o.target, o.locks, Fields(), o.precedence) for o in overlays]
    for count in range(len(locks_only)):
        looser, tighter = merge(locks_only[:count], request=request), merge(locks_only[: count + 1], request=request)
        assert STRICT.index(tighter.redact_mode) >= STRICT.index(looser.redact_mode)
        if looser.memory_scopes is not None:
            assert set(tighter.memory_scopes) <= set(looser.memory_scopes)
        if looser.model_problem("openai/gpt-5"):
            assert tighter.model_problem("openai/gpt-5")


@settings(max_examples=60, deadline=None)
@given(OVERLAYS, st.builds(Overlay, st.just(Level.SESSION), st.just("z"), FIELDS, FIELDS, st.just(0)), REQUESTS)
def test_merge__an_overlay_more_at_the_bottom__keeps_every_lock(overlays, lowest, request) -> None:
    before, after = merge(overlays, request=request), merge([*overlays, lowest], request=request)
    for locks in (overlay.locks for overlay in overlays if overlay.locks.redact_mode):
        assert STRICT.index(after.redact_mode) >= STRICT.index(locks.redact_mode)
    kept = [rule for rule in before.guardrails if rule.locked or rule.guard.kind == "blocklist"]
    assert all(rule in after.guardrails for rule in kept)
    assert set(before.denied_models) <= set(after.denied_models)
    locked_dont = {text for overlay in overlays for text in overlay.locks.dont}
    locked_do = {" ".join(text.casefold().split()).rstrip(".!") for overlay in overlays for text in overlay.locks.do}
    for text in locked_dont:
        name = " ".join(text.casefold().split()).rstrip(".!")
        if name not in locked_do:
            assert name in {" ".join(one.casefold().split()).rstrip(".!") for one in after.dont}


@settings(max_examples=40, deadline=None)
@given(OVERLAYS, REQUESTS)
def test_merge__the_same_overlays_twice__are_the_same(overlays, request) -> None:
    assert merge([*overlays, *reversed(overlays)], request=request) == merge(overlays, request=request)


@settings(max_examples=60, deadline=None)
@given(OVERLAYS, SENTENCES, SENTENCES)
def test_merge__do_and_dont__never_hold_the_same(overlays, do, dont) -> None:
    policy = merge(overlays, persona_do=do, persona_dont=dont)
    norm = [{" ".join(text.casefold().split()).rstrip(".!") for text in side} for side in (policy.do, policy.dont)]
    assert not norm[0] & norm[1]
    assert len(norm[0]) == len(policy.do)
    own = {*policy.persona_do, *policy.persona_dont}
    assert own <= {*policy.do, *policy.dont}
    assert own == {
        " ".join(line.value.split())
        for line in policy.trace
        if line.set_by == "persona" and line.rule == "lists add up"
    }


@settings(max_examples=40, deadline=None)
@given(OVERLAYS, REQUESTS)
def test_merge__every_field__has_its_line(overlays, request) -> None:
    policy = merge(overlays, request=request)
    named = {one.field for one in policy.trace}
    assert {"redact_mode", "memory_scopes", "max_output_tokens", "writes.approval", "writes.auto_types"} <= named
    assert all(one.set_by and one.rule for one in policy.trace)
    assert line(policy, "redact_mode").value == policy.redact_mode


@settings(max_examples=40, deadline=None)
@given(FIELDS)
def test_documents__any_fields__survive_storage(fields) -> None:
    assert from_json(to_json(fields)) == fields
