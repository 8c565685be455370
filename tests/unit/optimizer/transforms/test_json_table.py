"""Uniform JSON, and only that, becomes a table, and its reader finds all of it."""

from __future__ import annotations

import json  # noqa: TID251 - writes white space, escapes and odd numbers, as tools do
from typing import Any

import msgspec
import pytest

from korad.optimizer.base import MARK, MEDIUM, TOOL, USER, Block
from korad.optimizer.transforms.json_table import JSON_TABLE
from tests.support.json_table_reader import read


def compact(text: str) -> str:
    return msgspec.json.format(text.encode(), indent=-1).decode()


def tool(text: str) -> str:
    return JSON_TABLE.apply(Block(text=text, role=TOOL, level=MEDIUM))


def users(count: int) -> list[dict[str, Any]]:
    return [
        {"id": 100 + at, "name": f"user {at}", "zip": f"{at:05}", "active": at % 3 == 0}
        for at in range(count)
    ]


def test_an_array_of_like_objects_says_its_keys_once() -> None:
    text = json.dumps(users(7), indent=2)

    expected = (
        "[korad: (keys) come first, then objects as lists of values in that order]\n"
        '([["id","name","zip","active"]])'
        '[[100,"user 0","00000",true],[101,"user 1","00001",false],'
        '[102,"user 2","00002",false],[103,"user 3","00003",true],'
        '[104,"user 4","00004",false],[105,"user 5","00005",false],'
        '[106,"user 6","00006",true]]'
    )

    assert expected == tool(text)


def test_long_rows_stand_in_lines_of_their_own() -> None:
    rows = [
        {"identifier": at, "words": "so many words " * 4, "reference": "value"} for at in range(8)
    ]
    lines = tool(json.dumps(rows)).split("\n")

    assert 9 == len(lines)
    assert '[1,"' + "so many words " * 4 + '","value"],' == lines[2]
    assert compact(json.dumps(rows)) == read("\n".join(lines))


def test_all_tables_of_a_document_share_one_note() -> None:
    stops = [{"stop": at, "platform": f"p{at}"} for at in range(5)]
    text = json.dumps({"id": 7, "riders": users(5), "more": {"stops": stops}, "next": None})
    table = tool(text)
    note, document = table.split("\n")

    assert note.startswith("[korad: (keys) come first")
    assert document.startswith('{"id":7,"riders":([["id","name","zip","active"]])[[100,')
    assert document.endswith(
        '"more":{"stops":([["stop","platform"]])'
        '[[0,"p0"],[1,"p1"],[2,"p2"],[3,"p3"],[4,"p4"]]},"next":null}'
    )
    assert compact(text) == read(table)


def test_groups_of_objects_stay_groups() -> None:
    text = json.dumps([users(2), users(1), [], *[users(2)] * 3])
    table = tool(text)
    pair = '[[100,"user 0","00000",true],[101,"user 1","00001",false]]'

    assert table.endswith(
        f'([[["id","name","zip","active"]]])[{pair},[[100,"user 0","00000",true]],[],'
        f"{pair},{pair},{pair}]"
    )
    assert compact(text) == read(table)


def test_groups_of_unlike_objects_get_keys_of_their_own() -> None:
    trees = [{"tree": at, "height": at * 2, "species": "oak"} for at in range(6)]
    text = json.dumps({"users": users(6), "trees": trees})
    table = tool(text)

    assert '"users":([["id","name","zip","active"]])[[' in table
    assert '"trees":([["tree","height","species"]])[[' in table
    assert compact(text) == read(table)


def test_a_map_of_like_objects_keeps_its_keys() -> None:
    text = json.dumps({f"u-{at}": user for at, user in enumerate(users(8))})
    table = tool(text)

    assert '; "*" = any key]\n({"*":["id","name","zip","active"]}){"u-0":[100,' in table
    assert compact(text) == read(table)


def test_an_absent_key_leaves_its_place_empty() -> None:
    rows = users(12)
    for row in rows[::3]:
        del row["name"]
    for row in rows[::4]:
        del row["active"]
    text = json.dumps(rows)
    table = tool(text)

    assert "; empty = key absent]" in table
    assert '[[100,,"00000"],' in table
    assert compact(text) == read(table)


def test_an_empty_place_means_null_where_no_key_is_absent() -> None:
    rows = [{**user, "note": None, "team": None if user["id"] % 2 else 7} for user in users(20)]
    text = json.dumps(rows)
    table = tool(text)

    assert "; empty = null]" in table
    assert ',[101,"user 1","00001",false],[102,"user 2","00002",false,,7],' in table
    assert compact(text) == read(table)


def test_nulls_in_a_row_leave_all_their_places_empty_and_nulls_in_strings_stay() -> None:
    rows = [
        {
            "id": user["id"], "a": None, "b": None, "c": None, "said": "null,null",
            "day": ["null", 1], "d": None, "e": None if user["id"] % 2 else 1,
        }
        for user in users(20)
    ]  # fmt: skip
    text = json.dumps(rows)
    table = tool(text)

    assert '[[100,,,,"null,null",["null",1],,1],[101,,,,"null,null",["null",1]],' in table
    assert compact(text) == read(table)


@pytest.mark.parametrize("more", [{}, {"none": None}, {"list": [1]}, {"lists": [[1]]}, {"at": {}}])
def test_braces_and_brackets_in_strings_do_no_harm(more: dict[str, Any]) -> None:
    rows = [
        {**user, "{a": "{", "said": f"[{user['id']}" + '},{"id":1,"name":', **more}
        for user in users(20)
    ]
    text = json.dumps(rows)

    assert compact(text) == read(tool(text))


def test_objects_of_nulls_alone_are_empty_lists() -> None:
    text = json.dumps([{"first": None, "second": None}] * 20)
    table = tool(text)

    assert "[[],[],[]," in table
    assert compact(text) == read(table)


def test_nested_objects_arrays_and_maps_are_listed_by_the_keys() -> None:
    rows = [
        {
            **user,
            "home": {"street": f"{user['id']} Elm", "city": "Ulm"},
            "orders": [{"sku": f"s{n}", "price": n * 1.5} for n in range(user["id"] % 4)],
            "days": {f"2024-05-0{n}": {"state": "late", "minutes": n} for n in range(1, 7)},
        }
        for user in users(10)
    ]
    text = json.dumps(rows)
    table = tool(text)

    assert (
        '"home":["street","city"],"orders":[["sku","price"]],"days":{"*":["state","minutes"]}]])'
    ) in table
    assert '["100 Elm","Ulm"],[],{"2024-05-01":["late",1],' in table
    assert compact(text) == read(table)


def test_an_object_that_does_not_fit_is_written_in_full() -> None:
    rows: list[dict[str, Any]] = [*users(8), {"error": "no such user"}, {}, {"name": "x", "id": 1}]
    text = json.dumps(rows)
    table = tool(text)

    assert table.endswith(',{"error":"no such user"},{},{"name":"x","id":1}]')
    assert compact(text) == read(table)


def test_a_row_of_one_object_does_not_look_like_an_object_in_full() -> None:
    rows: list[dict[str, Any]] = [{"box": {"odd": at}, "name": "n", "size": 1} for at in range(9)]
    rows += [{"box": {"other": [1], "odd": 2}}]
    text = json.dumps(rows)

    assert compact(text) == read(tool(text))


def test_lines_of_json_become_a_table_and_other_lines_stay() -> None:
    lines = [json.dumps(user) for user in users(7)]
    text = "\n".join(["starting", *lines, "", "done {", '{"id": 1}'])
    table = tool(text)
    start, rest = table.split("\n", 1)
    rows, end = rest.split("\n\n")

    assert ("starting", 'done {\n{"id": 1}') == (start, end)
    assert [compact(line) for line in lines] == read(rows).split("\n")


def test_broken_lines_that_add_up_to_objects_stay() -> None:
    text = "\n".join(['{"a":[{}', '{"b":1}]}', '{"a":1},{"b":2}'] + ['{"a":1,"bcd":2}'] * 20)

    assert text is tool(text) or text == tool(text)


SAME = json.dumps(users(9))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words",
        json.dumps(users(2)),
        json.dumps({"name": {"first": "a", "last": "b"}, "home": {"street": "c", "zip": "d"}}),
        json.dumps([{f"key {at}": at} for at in range(60)]),
        SAME[:-1],
        SAME + SAME,
        SAME.replace("100", "NaN"),
        SAME.replace("}]", "},]"),
        SAME.replace('"', "'"),
        SAME.replace("user 3", "lone \ud83d"),
        SAME.replace("user 3", f"{MARK} table of 2 objects]"),
        "[" * 3000 + "{" * 9,
        "[" * 900 + "{},{},{},{},{}" + "]" * 900,
        json.dumps("{{{{{{{"),
    ],
)
def test_what_is_not_uniform_json_stays(text: str) -> None:
    assert tool(text) is text or tool(text) == text


@pytest.mark.parametrize(
    ("role", "fence", "changes"),
    [
        (TOOL, None, True),
        (TOOL, "json", True),
        (USER, "json", True),
        (USER, "", True),
        (USER, None, False),
        (TOOL, "python", False),
    ],
)
def test_only_data_is_tabled(role: str, fence: str | None, changes: bool) -> None:  # noqa: FBT001 - a table's column
    table = JSON_TABLE.apply(Block(text=SAME, role=role, level=MEDIUM, fence=fence))

    assert changes == (table != SAME)
