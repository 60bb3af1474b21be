"""The search language: what it reads, what it refuses with the place, and that writing a search loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core import ids
from gateway.platform.requests.errors import InvalidQuery
from gateway.platform.requests.query import FIELDS, SearchQuery, condition, parse, render
from gateway.platform.requests.query.rendering import grammar
from gateway.platform.requests.query.terms import ANY, Ago, Glob, Kind, Op, Range, Term
from gateway.platform.requests.query.values import MAX_AMOUNT

# Always the same one: it is part of the names of tests.
REQ = ids.public("req", ids.uuid7_at(1_790_000_000_000, 7))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("  \t ", ()),
        ("status:>=400", (Term("status", (400,), Op.GE),)),
        ("status:4xx,500..503,429", (Term("status", (Range(400, 499), Range(500, 503), 429)),)),
        ("model:openai/*,ikiro/sandbox", (Term("model", (Glob("openai/*"), "ikiro/sandbox")),)),
        ('persona:"a b*" -subject:ann', (Term("persona", ("a b*",)), Term("subject", ("ann",), negated=True))),
        ("latency:>2s", (Term("latency", (2000,), Op.GT),)),
        ("latency:1.5s..2m", (Term("latency", (Range(1500, 120_000),)),)),
        ("latency:<250", (Term("latency", (250,), Op.LT),)),
        ("cost:>0.01", (Term("cost", (10_000,), Op.GT),)),
        ("cost:<=$2", (Term("cost", (2_000_000,), Op.LE),)),
        ("CODE:rate_limited", (Term("code", ("rate_limited",)),)),
        ("cached:TRUE", (Term("cached", (True,)),)),
        ("since:24h", (Term("since", (Ago(86_400),)),)),
        ("until:2026-11-02", (Term("until", (datetime(2026, 11, 2, tzinfo=UTC),)),)),
        ("since:2026-11-02T10:00:00+01:00", (Term("since", (datetime(2026, 11, 2, 9, tzinfo=UTC),)),)),
        ("kind:refusal state:settled", (Term("kind", ("refusal",)), Term("state", ("settled",)))),
        (f"parent:{REQ}", (Term("parent", (REQ,)),)),
        (f'{REQ} -"two words"', (Term(ANY, (REQ,)), Term(ANY, ("two words",), negated=True))),
        (r'"say \"hi\" \\"', (Term(ANY, ('say "hi" \\',)),)),
        ("key:key_1 user:usr_1", (Term("key", ("key_1",)), Term("user", ("usr_1",)))),
    ],
)
def test_parse__documented_forms__give_these_terms(text, terms):
    assert parse(text) == SearchQuery(terms)


@pytest.mark.parametrize(
    ("text", "position", "allowed"),
    [
        ("colour:red", 0, list(FIELDS)),
        ("model:a colour:red", 8, list(FIELDS)),
        ("status:", 7, []),
        ("status:abc", 7, ["404", ">=400", "4xx", "400..499"]),
        ("status:>=4xx", 7, ["404", ">=400", "4xx", "400..499"]),
        ("status:>400,500", 7, ["404", ">=400", "4xx", "400..499"]),
        ("status:600", 7, ["404", ">=400", "4xx", "400..499"]),
        ("status:500..400", 7, ["404", ">=400", "4xx", "400..499"]),
        ("latency:>2 days", None, None),
        ("latency:>9999999999s", 9, ["250ms", ">2s", "1s..5s"]),
        ("cost:cheap", 5, [">0.01", "0.001..0.01"]),
        ("cached:maybe", 7, ["true", "false"]),
        ("kind:x", 5, ["request", "refusal"]),
        ("since:yesterday", 6, ["24h", "7d", "2026-11-02", "2026-11-02T09:00:00Z"]),
        ("since:1h,2h", 6, []),
        ("-since:1h", 0, ["since"]),
        ("since:999999999w", 6, ["24h", "7d", "2026-11-02", "2026-11-02T09:00:00Z"]),
        ("parent:req_1", 7, ["req_…"]),
        ('model:"open', 6, ['"']),
        ('model:""', 6, []),
        (r'"a\b"', 2, ['\\"', "\\\\"]),
        ("model:a,", 8, []),
        ('model:"a"b', 9, [" "]),
        ("-", 1, []),
        ("x" * 1001, 1000, []),
        (" ".join(["a"] * 21), 40, []),
        ("model:" + ",".join(["a"] * 21), 46, []),
    ],
)
def test_parse__what_is_no_search__is_refused_with_the_place(text, position, allowed):
    if position is None:
        assert parse(text) == SearchQuery((Term("latency", (2,), Op.GT), Term(ANY, ("days",))))
        return
    with pytest.raises(InvalidQuery) as refused:
        parse(text)
    error = refused.value
    assert (error.code, error.http_status) == ("invalid_query", 422)
    assert error.extra == {"position": position, "allowed": allowed}
    assert error.problems[0].pointer == "#/query/q"


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
_GLOBS = st.from_regex(r"[a-z/:-]{0,4}\*[a-z*\\]{0,4}", fullmatch=True).map(Glob)
_TIMES = st.one_of(
    st.integers(0, 10**9).map(Ago),
    st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
)


def _values(field):
    match field.kind:
        case Kind.TEXT:
            return st.lists(st.one_of(_TEXTS, _GLOBS), min_size=1, max_size=4)
        case Kind.WORD:
            return st.lists(st.sampled_from(field.words), min_size=1, max_size=2)
        case Kind.FLAG:
            return st.lists(st.booleans(), min_size=1, max_size=2)
        case Kind.TIME:
            return st.lists(_TIMES, min_size=1, max_size=1)
        case Kind.REQUEST:
            return st.lists(st.just(REQ), min_size=1, max_size=2)
        case Kind.AMOUNT:
            low = 100 if field.unit == "status" else 0
            amount = st.integers(low, MAX_AMOUNT[field.unit])
            ranges = st.tuples(amount, amount).map(lambda pair: Range(min(pair), max(pair)))
            return st.lists(st.one_of(amount, ranges), min_size=1, max_size=4)


@st.composite
def terms(draw):
    if draw(st.booleans()):
        return Term(ANY, (draw(_TEXTS),), negated=draw(st.booleans()))
    field = draw(st.sampled_from(list(FIELDS.values())))
    values = tuple(draw(_values(field)))
    op = Op.EQ
    if field.kind is Kind.AMOUNT and len(values) == 1 and isinstance(values[0], int):
        op = draw(st.sampled_from(list(Op)))
    return Term(field.name, values, op, field.kind is not Kind.TIME and draw(st.booleans()))


# A busy machine is slow at making examples; that says nothing about the parser.
_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_patient
@given(st.lists(terms(), max_size=8).map(lambda found: SearchQuery(tuple(found))))
def test_render__any_search__reads_back_the_same(query):
    assert parse(render(query)) == query
    condition(query, NOW)  # and the database has a condition for it


@_patient
@given(st.one_of(st.text(max_size=60), st.text(alphabet='ab:",\\-<>=.*0123xs \t', max_size=40)))
def test_parse__any_text__is_read_or_refused_with_a_place_inside_it(text):
    try:
        query = parse(text)
    except InvalidQuery as error:
        refused_at = error.extra["position"]
    else:
        refused_at = 0
        assert parse(render(query)) == query
        condition(query, NOW)
    assert 0 <= refused_at <= len(text)


def test_grammar__each_field__shows_forms_that_are_read():
    shown = grammar()
    assert list(shown) == list(FIELDS)
    for name, forms in shown.items():
        for form in forms:
            if "…" not in form:
                assert parse(f"{name}:{form}").terms[0].field == name
