"""Server-sent events come out whole, however the network cut the stream up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.platform.providers import sse


def events(*pieces: bytes) -> tuple[list[bytes | None], bytes]:
    splitter = sse.EventSplitter()
    found = [sse.data_of(event) for piece in pieces for event in splitter.feed(piece)]
    return found, splitter.rest()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events__every_line_ending__are_the_same(end):
    raw = end.join(
        [
            b": comment",
            b"",
            b"data: one",
            b"data:two",
            b"event: x",
            b"",
            b"data",
            b"",
            b"id: 1",
            b"",
            b"data:  z",
            b"",
            b"x",
        ]
    )
    found, rest = events(raw)
    assert [data for data in found if data is not None] == [b"one\ntwo", b"", b" z"]
    assert rest == b"x"


LINES = st.sampled_from(
    [b"data: a", b"data: [DONE]", b"data:b", b": hi", b"event: e", b"", b"", b"data", b"id: 4", b"data: {}"]
)


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=20), data=st.data())
def test_events__any_cut_into_pieces__give_the_same_data_and_lose_no_byte(lines, data):
    raw = b"".join(line + end for line, end in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    splitter = sse.EventSplitter()
    cut = [event for piece in pieces for event in splitter.feed(piece)]
    assert b"".join(cut) + splitter.rest() == raw
    whole, _ = events(raw)
    assert [d for event in cut if (d := sse.data_of(event)) is not None] == [d for d in whole if d is not None]


def test_events__one_that_never_ends__is_refused():
    splitter = sse.EventSplitter()
    assert splitter.feed(b"x" * 8 * 1024 * 1024) == []
    with pytest.raises(sse.EventTooLarge):
        splitter.feed(b"x")
