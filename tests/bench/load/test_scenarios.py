"""Scenario files are read whole or refused with the name of file and key."""

from __future__ import annotations

import msgspec
import pytest

from bench.load.plan import Scenario, Stage
from bench.load.scenarios import (
    FOLDER,
    ScenarioError,
    built_in,
    find_scenario,
    read_scenario,
    with_options,
)

SHIPPED = {
    "aborts", "agents", "burst", "ladder", "levels", "long-prompts", "saturation", "slow-readers",
    "slow-streams-1000", "slow-streams-5000", "steady", "streams",
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return written


def test_the_shipped_scenarios_are_all_there_and_sound():
    assert {scenario.name for scenario in built_in()} == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_scenario_is_found_by_its_name(name):
    scenario, base = find_scenario(name)

    assert (scenario.name, base) == (name, FOLDER)
    assert scenario.summary


def test_the_streams_scenario_is_ten_thousand_chunks_a_second():
    scenario, _ = find_scenario("streams")
    answers = scenario.answers

    assert scenario.stages[0].rate * answers.chunks == 10_000
    assert scenario.stages[0].rate * answers.chunks * answers.interval_s == 200


@pytest.mark.parametrize("streams", [1000, 5000])
def test_the_slow_streams_are_all_open_before_the_first_ends(streams):
    scenario, _ = find_scenario(f"slow-streams-{streams}")
    (stage,) = scenario.stages
    answers = scenario.answers

    assert stage.rate * stage.seconds == streams
    assert answers.chunks * answers.interval_s >= stage.seconds
    assert scenario.clients.connections > streams


def test_a_file_is_found_by_its_path_and_takes_its_name(write):
    path = write('summary = "x"')

    scenario, base = find_scenario(str(path))

    assert scenario == Scenario(name="mine", summary="x")
    assert base == path.parent


def test_what_a_file_leaves_out_is_the_default_and_whole_numbers_may_be_seconds(write):
    scenario = read_scenario(write('summary = "x"\n[[stages]]\nseconds = 3\nrate = 7\n'))

    assert scenario.stages == (Stage(seconds=3.0, rate=7.0),)
    assert scenario.seconds == 3.0
    assert scenario.clients.connections == 64


WRONG = [
    ("colour = 1", "colour: unknown key"),
    ('name = "x"', "name: unknown key"),
    ("[answers]\nchunkz = 1", "answers.chunkz: unknown key"),
    ("[[stages]]\nseconds = 1\nrate = 1\npause = 1", r"stages\[0\].pause: unknown key"),
    ("[ladder]\nsteps = 1", "ladder.steps: unknown key"),
    ('arrivals = "bursty"', "arrivals: Invalid enum value 'bursty'"),
    ('[answers]\nchunks = "many"', "answers.chunks: Expected `int`, got `str`"),
    ("[[stages]]\nrate = 1.0", r"stages\[0\]: Object missing required field `seconds`"),
    ("[[stages]]\nrate = 1.0\nseconds = 0", r"stages\[0\].seconds: must be more than 0"),
    ("[[stages]]\nrate = -1.0\nseconds = 1", r"stages\[0\].rate: must be at least 0"),
    ("[[stages]]\nrate = 0.0\nseconds = 1", "stages: one at least must have a rate"),
    ("stages = []", "stages: there must be one"),
    ("[clients]\naborts = 1.5", "clients.aborts: must be a share from 0 to 1, not 1.5"),
    ("[clients]\nconnections = 0", "clients.connections: must be at least 1"),
    ("[levels]\nhuge = 1", "levels.huge: no such level"),
    ("[levels]\nlow = -1", "levels.low: must be at least 0"),
    ("[levels]\nlow = 0", "levels: one at least"),
    ("[prompts]\nmean_bytes = 3", "prompts.mean_bytes: must be at least 100"),
    ('[prompts]\nkind = "sharegpt"', "prompts.path: .* need a file"),
    ('[prompts]\npath = "x.json"', "prompts.path: synthetic prompts have no file"),
    ("[ladder]", "slo: a ladder ends where goodput falls"),
    ("[ladder]\nfactor = 1.0\n[slo]\ne2e_ms = 1", "ladder.factor: must be more than 1"),
    ('arrivals = "closed"\n[ladder]\n[slo]\ne2e_ms = 1', "ladder: a closed loop has no rates"),
    ("warmup_s = nan", "warmup_s: must be"),
    ("[[stages]]\nrate = nan\nseconds = 1", r"stages\[0\].rate: must be"),
    ("[[stages]]\nrate = 1\nseconds = inf", r"stages\[0\].seconds: must be"),
    ("answers = 3", "answers: Expected `object`, got `int`"),
    ("x = = 3", "Invalid value"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_file_is_refused_by_file_and_key(write, text, words):
    path = write(f'summary = "x"\n{text}')

    with pytest.raises(ScenarioError, match=words) as raised:
        read_scenario(path)

    assert str(path) in str(raised.value)


def test_a_summary_is_required(write):
    with pytest.raises(ScenarioError, match="`summary`"):
        read_scenario(write(""))


@pytest.mark.parametrize("name", ["nosuch", "../load/x", "/nonexistent/x.toml"])
def test_a_scenario_that_does_not_exist_is_told(name):
    with pytest.raises(ScenarioError, match=name.replace(".", r"\.")):
        find_scenario(name)


def test_options_keep_the_shape_of_several_stages():
    burst, _ = find_scenario("burst")

    changed = with_options(burst, rate=100.0, duration_s=6.0, warmup_s=0.0)

    assert [stage.rate for stage in changed.stages] == pytest.approx([10.0, 100.0, 10.0])
    assert [stage.seconds for stage in changed.stages] == pytest.approx([2.0, 1.0, 3.0])
    assert changed.warmup_s == 0.0
    # The report shows it, and "100 a second" alone would no longer be true.
    assert changed.summary == f"{burst.summary} (changed: --rate 100, --duration 6, --warmup 0)"


def test_options_of_a_ladder_are_of_its_rungs():
    ladder, _ = find_scenario("ladder")

    changed = with_options(ladder, rate=10.0, duration_s=1.0)

    assert changed.ladder is not None
    assert (changed.ladder.start, changed.ladder.seconds) == (10.0, 1.0)
    assert changed.stages == ladder.stages


def test_options_that_make_no_sense_are_refused():
    saturation, _ = find_scenario("saturation")
    steady, _ = find_scenario("steady")

    with pytest.raises(ScenarioError, match="--rate: a closed loop"):
        with_options(saturation, rate=10.0)
    with pytest.raises(ScenarioError, match="command line: stages"):
        with_options(steady, rate=0.0)
    with pytest.raises(ScenarioError, match="command line: warmup_s"):
        with_options(steady, warmup_s=-1.0)


def test_no_options_change_nothing():
    for scenario in built_in():
        assert msgspec.json.encode(with_options(scenario)) == msgspec.json.encode(scenario)
