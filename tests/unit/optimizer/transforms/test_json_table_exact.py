"""Tables give back the very JSON they were made from, token for token, whatever it holds."""

from __future__ import annotations

import json  # noqa: TID251 - writes white space, escapes and odd numbers, as tools do
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import MEDIUM, TOOL, Block
from korad.optimizer.transforms.json_table import JSON_TABLE
from tests.support.json_table_reader import read


def compact(text: str) -> str:
    return msgspec.json.format(text.encode(), indent=-1).decode()


def tool(text: str) -> str:
    return JSON_TABLE.apply(Block(text=text, role=TOOL, level=MEDIUM))


TRAPS = {
    "numbers": '[1.10,1E400,-0,-0.0,6.02e+23,0.1000000000000000055511151231257827,"1"]',
    "long": "123456789012345678901234567890",
    "escapes": r'"\u00e9\ud83d\ude00\/\b\u0000"',
    "unicode": '"שלום \u200f 👨\u200d👩 \u2028 \u00a0"',
    "quotes": r'"},{\"key\": [1,\n], \"value\":null,"',
    "mixed": '[{"key":1},2,[],{},null,"key"]',
    "nested": '{"key":{"key":[[{"key":null}]]}}',
    "brackets": '"(["',
    "keys": '["},{","value","value",",","key"]',
}


@pytest.mark.parametrize("value", TRAPS.values(), ids=TRAPS.keys())
def test_values_stand_as_they_were_written(value: str) -> None:
    rows = [f'{{"key": {at}, "value": {value}, "name" : "{at:03}"}}' for at in range(12)]
    text = "[\n" + ",\r\n\t".join(rows) + "\n]"
    table = tool(text)

    assert '"011"' in table
    assert len(table) < len(compact(text))
    assert compact(text) == read(table)


@pytest.mark.parametrize(
    "odd",
    ['{"id":1,"id":2,"name":"a"}', r'{"\u0069d":1,"name":"a"}', r'{"i\/d":1,"name":"b"}'],
    ids=["twice", "escaped", "slash"],
)
def test_an_object_whose_keys_would_not_come_back_stays(odd: str) -> None:
    rows = [json.dumps({"id": at, "name": f"n{at}", "value": at * at}) for at in range(9)]
    text = "[" + ",".join([*rows, odd]) + "]"
    table = tool(text)

    assert table.endswith(f",{odd}]")
    assert compact(text) == read(table)
    assert tool(f'{{"data":{text},"data":1}}') == f'{{"data":{text},"data":1}}'


ODD_KEYS = [",", ":", "]", "}", "", "a", ",a", ":{", "(", "["]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_that_reads_like_the_end_of_a_string_comes_back(key: str) -> None:
    rows = [{"id": key, "b": ",", key: ",", "some last key": f"{key}{at}"} for at in range(12)]
    text = json.dumps(rows)
    table = tool(text)

    assert table != text
    assert compact(text) == read(table)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["null", "007", ",", '"', "]", "}", "[1]", "{}", ""])
)
keys = st.sampled_from(
    ["id", "name", "a,b", 'q"', "é", "*", "", "items", "k:v", ",x", ":", "]", "}"]
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
)


@st.composite
def uniform(draw: st.DrawFn) -> Any:
    """Rows that mostly share their keys, and where the values under a key are mostly alike."""
    order = draw(st.lists(keys, min_size=2, max_size=5, unique=True))
    shared = draw(
        st.lists(st.fixed_dictionaries(dict.fromkeys(order, values)), min_size=1, max_size=3)
    )
    odd = st.dictionaries(keys, values, max_size=4) | values
    count = draw(st.integers(2, 40))
    rows: list[Any] = [
        {key: item for key, item in shared[at % len(shared)].items() if (at + len(key)) % 4}
        if draw(st.integers(0, 9)) == 0
        else shared[at % len(shared)]
        for at in range(count)
    ]
    if draw(st.booleans()):
        rows[draw(st.integers(0, count - 1))] = draw(odd)
    wrap = draw(st.sampled_from(["rows", "map", "inside", "nested", "groups"]))
    if wrap == "map":
        return {f"{draw(keys)}{at}": row for at, row in enumerate(rows)}
    if wrap == "inside":
        return {"data": rows, "more": draw(values), "again": rows[:6]}
    if wrap == "groups":
        return [rows[at:][:3] for at in range(0, count, draw(st.integers(1, 3)))]
    return rows if wrap == "rows" else [{"n": at, "sub": rows[at:][:7]} for at in range(8)]


@settings(max_examples=60, deadline=None)
@given(uniform() | values, st.booleans(), st.sampled_from([None, 1]))
def test_a_table_gives_back_its_json_token_for_token(
    document: Any,
    ascii_only: bool,  # noqa: FBT001 - drawn
    indent: int | None,
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    table = tool(text)

    if table != text:
        assert len(table) < len(compact(text))
        assert compact(text) == read(table)
        assert table == tool(table)
        assert table == tool(text)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"id": values, "text": scalars, "n": scalars}),
        min_size=5,
        max_size=20,
    )
)
def test_lines_give_back_their_json_token_for_token(rows: list[dict[str, Any]]) -> None:
    text = "\n".join(map(json.dumps, rows))
    table = tool(text)

    if table != text:
        assert [compact(line) for line in text.split("\n")] == read(table).split("\n")
        assert table == tool(table)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='{}[],:"\n a1\\', max_size=60))
def test_any_text_is_taken(text: str) -> None:
    padded = text * 8

    assert tool(padded) == tool(padded)
