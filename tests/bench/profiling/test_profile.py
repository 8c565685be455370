"""The profile counts korad's own work of each request, the same every time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import korad
from bench.__main__ import main
from bench.profiling import command, house
from bench.profiling.command import CHUNKS, counted
from bench.profiling.ends import WrongAnswerError
from bench.profiling.flame import WIDTH, flame
from bench.profiling.house import Kind
from bench.profiling.profile import Figures, Function, Profile, per_chunk

WHOLE = Kind(stream=False)
STREAM = Kind(stream=True)


@pytest.fixture(scope="module")
def whole():
    return counted(WHOLE, chunks=1)


@pytest.fixture(scope="module")
def streams():
    return [counted(STREAM, chunks=chunks) for chunks in CHUNKS]


def calls(profile, file, name):
    return profile.functions[Function(file, name)].calls


def test_two_runs_count_the_same(whole):
    def of_the_loop_alone(profile):
        # Whether the journal's thread sleeps, and must be woken, is a matter of time.
        return {
            function: figures
            for function, figures in profile.functions.items()
            if "threading" not in function.file and function.name != "Journal.append"
        }

    assert of_the_loop_alone(whole) == of_the_loop_alone(counted(WHOLE, chunks=1))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("web/fast_lane.py", "FastLane.data_received"),
        ("exchange.py", "Exchange.admit"),
        ("wire/openai.py", "parse_chat_request"),
        ("upstream/connection.py", "UpstreamConnection.data_received"),
        ("billing/rating.py", "rate"),
        ("billing/event_writer.py", "EventWriter.event"),
        ("adapters/journal.py", "Journal.append"),
        ("adapters/inflight.py", "Inflight.open"),
    ],
)
def test_a_request_passes_each_room_once(whole, file, name):
    assert 1 == calls(whole, file, name)


def test_neither_the_ends_nor_what_goes_on_beside_are_counted(whole):
    files = {function.file for function in whole.functions}

    assert not any(file.startswith(("ends", "uvloop", "asyncio/tasks")) for file in files)
    assert files.isdisjoint({"adapters/deadlines.py", "adapters/redis_link.py", "app.py"})
    house = Path(korad.__file__).parent
    assert all((house / branch.function.file).exists() for branch in whole.tree)


def test_the_tree_holds_what_the_table_holds(whole):
    def own(branches):
        return sum(each.bytecodes for each in branches)

    assert pytest.approx(whole.bytecodes, rel=0.01) == own(whole.tree)
    roots = {branch.function.name for branch in whole.tree}
    assert {"FastLane.data_received", "UpstreamConnection.data_received"} <= roots


def test_a_new_prompt_takes_more(whole):
    assert counted(Kind(stream=False, fresh=True), chunks=1).bytecodes > whole.bytecodes


def test_a_usual_chunk_is_looked_at_once(streams):
    shorter, longer = streams
    chunk = per_chunk(longer, shorter, CHUNKS[1] - CHUNKS[0])

    assert 1 == calls(chunk, "upstream/connection.py", "UpstreamConnection.data_received")
    assert 1 == calls(chunk, "web/bypass.py", "Bypass.take")
    assert 1 == calls(chunk, "providers/openai_usual.py", "OpenAIText.deltas_with")
    assert 0 < chunk.bytecodes < shorter.bytecodes / CHUNKS[0]


def test_requests_are_of_the_size_asked_for_and_new_where_asked_for():
    known, fresh = Kind(stream=True, body_bytes=8_000), Kind(stream=False, fresh=True)
    body = known.request(1).partition(b"\r\n\r\n")[2]

    assert 8_000 == len(body)
    assert b"Content-Length: 8000\r\n" in known.request(1)
    assert known.request(1) == known.request(2)
    assert fresh.request(1) != fresh.request(2)


def test_an_answer_that_is_an_error_is_not_counted(monkeypatch, capsys):
    monkeypatch.setattr(
        house, "_HEAD", house._HEAD.replace("Bearer {key}", "Bearer sk-bf-other{key:.0}")
    )
    with pytest.raises(WrongAnswerError, match="401"):
        counted(WHOLE, chunks=1)

    assert main(["profile", "--seconds", "0.1"]) == 2
    assert "401" in capsys.readouterr().err


def test_the_flame_graph_is_an_svg_of_boxes_within_their_callers(whole):
    root = ET.fromstring(flame("a <title> & more", whole))  # noqa: S314 - our own
    boxes = [
        (float(each.get("x")), float(each.get("y")), float(each.get("width")))
        for each in root.iter("{http://www.w3.org/2000/svg}rect")
    ]

    assert len(boxes) > 50
    assert all(left >= 0 and left + width <= WIDTH + 1 for left, _, width in boxes)
    top = min(y for _, y, _ in boxes)
    assert pytest.approx(WIDTH, rel=0.02) == sum(width for _, y, width in boxes if y == top)


def test_the_verb_prints_and_writes(tmp_path, capsys):
    out = tmp_path / "flame.svg"

    assert main(["profile", "--seconds", "0.2", "--rows", "3", "--out", str(out)]) == 0

    printed = capsys.readouterr().out
    assert "EventWriter.event" in printed
    assert "more" in printed
    assert "CPU per request, unprofiled" in printed
    assert out.read_text(encoding="utf-8").startswith("<svg")


def test_the_verb_tells_a_chunk_apart(capsys):
    assert main(["profile", "--stream", "--seconds", "0.2", "--rows", "4"]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("a chunk, one per read: ")
    assert f"its prompt known, {CHUNKS[0]} chunks" in printed
    assert "CPU per chunk, likewise" in printed


def test_a_difference_of_profiles_leaves_out_what_is_the_same():
    same, grows = Function("a.py", "same"), Function("a.py", "grows")
    shorter = Profile({same: Figures(5, 1), grows: Figures(20, 2)}, [])
    longer = Profile({same: Figures(5, 1), grows: Figures(60, 6)}, [])

    assert {grows: Figures(10, 1)} == per_chunk(longer, shorter, 4).functions
    assert command.title_of(STREAM).startswith("a streamed")
