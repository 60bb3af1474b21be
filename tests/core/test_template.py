"""Templates: what they give is what the encoder would have given."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.template import Marks

_TEXTS = st.text(max_size=20)


@given(
    whole=st.integers(-(2**40), 2**53),
    tenths=st.integers(0, 10**7),
    exact=st.floats(0.001, 1e6),
    name=st.text(alphabet="abc%()d{}", min_size=4, max_size=4),
    around=st.dictionaries(_TEXTS, _TEXTS, max_size=4),
)
def test_template__filled__is_what_the_encoder_gives(whole, tenths, exact, name, around) -> None:
    def shown(number: int, rounded: float, written: float, text: str) -> bytes:
        said = {
            "around": around,
            "n": number,
            "again": [number, {"r": rounded}],
            "w": written,
            "t": text,
            "%(n)d": "%d",
        }
        return msgspec.json.encode(said)

    marks = Marks()
    example = shown(marks.whole("n"), marks.tenth("r"), marks.exact("w"), marks.text("t", "#mrk"))
    values = {b"n": whole, b"r": tenths / 10, b"w": exact, b"t": name.encode()}
    filled = marks.template(example).fill(values)
    assert msgspec.json.decode(filled) == msgspec.json.decode(shown(whole, tenths / 10, exact, name))
    if 1e-3 <= exact < 1e16 and tenths < 10**6:
        assert filled == shown(whole, tenths / 10, exact, name)


def test_also__sum_and_length__are_filled_where_they_stand() -> None:
    marks = Marks()
    first, second = marks.whole("a"), marks.whole("b")
    marks.also(str(first + second), "%(sum)d")
    marks.also(f"${len(str(first))}\r\n{first}", "$%(length)d\r\n%(a)d")
    template = marks.template(f"{first + second} {second} ${len(str(first))}\r\n{first} 100%".encode())
    assert template.fill({b"a": 7, b"b": 35, b"sum": 42, b"length": 1}) == b"42 35 $1\r\n7 100%"
