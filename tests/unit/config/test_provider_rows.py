"""Which provider rows are enabled, and what they are."""

from __future__ import annotations

import pytest

from korad.config.problems import ConfigError, Problems
from korad.config.provider_rows import ProviderReader
from korad.domain.upstream import AuthScheme, Dialect, Origin, Timeouts

OWN = {"dialect": "openai", "base_url": "http://own.example/v1"}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "korad.toml"


@pytest.fixture
def read(file):
    def read_rows(tables=None, **environ):
        problems = Problems()
        rows = ProviderReader(environ, file=file, problems=problems).read_all(tables or {})
        problems.raise_any()
        return rows

    return read_rows


@pytest.fixture
def problems_of(read):
    def problems_of_rows(tables=None, **environ):
        with pytest.raises(ConfigError) as caught:
            read(tables, **environ)

        assert "hunter2" not in str(caught.value)

        return caught.value.problems

    return problems_of_rows


def test_nothing_is_enabled_by_default(read):
    rows = read()

    assert {} == rows.enabled
    assert "set GROQ_API_KEY" == rows.disabled["groq"]
    assert "set AZURE_API_KEY and AZURE_BASE_URL" == rows.disabled["azure"]
    assert "name it in the file or set OLLAMA_BASE_URL" == rows.disabled["ollama"]


def test_a_key_in_the_environment_enables_its_row(read):
    rows = read(OPENAI_API_KEY="sk-1")
    row = rows.enabled["openai"]

    assert ["openai"] == list(rows.enabled)
    assert Origin(scheme="https", host="api.openai.com", port=443) == row.origin
    assert ("/v1", Dialect.OPENAI, AuthScheme.BEARER) == (row.base_path, row.dialect, row.auth)
    assert "sk-1" == row.credential.reveal()
    assert (False, False, "", ()) == (row.gateway, row.free, row.query, row.headers)
    assert "environment variable OPENAI_API_KEY" == rows.credential_sources["openai"]
    assert "openai" not in rows.disabled


def test_anthropic_speaks_its_own_dialect_under_v1(read):
    row = read(ANTHROPIC_API_KEY="sk-1").enabled["anthropic"]

    assert Origin(scheme="https", host="api.anthropic.com", port=443) == row.origin
    assert ("/v1", Dialect.ANTHROPIC, AuthScheme.X_API_KEY) == (
        row.base_path,
        row.dialect,
        row.auth,
    )


def test_an_address_alone_enables_a_row_without_credential(read):
    row = read(OPENAI_BASE_URL="http://localhost:9/v1").enabled["openai"]

    assert Origin(scheme="http", host="localhost", port=9) == row.origin
    assert (AuthScheme.NONE, None) == (row.auth, row.credential)


def test_an_anthropic_address_is_given_without_v1(read):
    assert "/proxy/v1" == read(ANTHROPIC_BASE_URL="http://h/proxy").enabled["anthropic"].base_path


def test_an_address_in_the_environment_beats_the_files(read):
    tables = {"groq": {"base_url": "https://file.example"}}

    assert "file.example" == read(tables).enabled["groq"].origin.host
    assert (
        "env.example"
        == read(tables, GROQ_BASE_URL="http://env.example").enabled["groq"].origin.host
    )


def test_empty_variables_count_as_unset(read):
    assert {} == read(OPENAI_API_KEY="", GROQ_API_KEY=" ", XAI_BASE_URL="").enabled


def test_a_reference_in_the_file_says_which_variable_holds_the_key(read):
    tables = {"groq": {"api_key": "env:TEAM_KEY"}}

    assert (
        "k1" == read(tables, TEAM_KEY="k1", GROQ_API_KEY="k2").enabled["groq"].credential.reveal()
    )
    # Another key than the one asked for would be charged to somebody else.
    assert "set TEAM_KEY" == read(tables, GROQ_API_KEY="k2").disabled["groq"]


def test_a_key_may_be_in_a_file(read, tmp_path):
    (tmp_path / "key").write_text("k1\n")
    rows = read({"groq": {"api_key": "file:key"}})

    assert "k1" == rows.enabled["groq"].credential.reveal()
    assert f"file {tmp_path / 'key'}" == rows.credential_sources["groq"]


def test_a_missing_key_file_is_a_problem(problems_of, file, tmp_path):
    assert (
        (
            f"{file}: [providers.groq] api_key names {tmp_path / 'key'}, which cannot be read: "
            "No such file or directory"
        ),
    ) == problems_of({"groq": {"api_key": "file:key"}})


def test_a_key_written_in_the_file_is_a_problem_that_says_why(problems_of):
    (problem,) = problems_of({"groq": {"api_key": "gsk_hunter2"}})

    assert '[providers.groq] api_key must be "env:NAME" or "file:PATH", not the key' in problem
    assert "version control" in problem


def test_a_broken_key_in_the_environment_names_its_variable(problems_of):
    (problem,) = problems_of(GROQ_API_KEY="hunter2\r\nhost: x")

    assert problem.startswith("environment variable GROQ_API_KEY holds a blank")


@pytest.mark.parametrize("name", ["vllm", "ollama"])
def test_local_rows_are_there_once_named_and_are_free(read, name):
    variable = name.upper()

    for rows in (read({name: {}}), read(**{f"{variable}_BASE_URL": "http://gpu:1/v1"})):
        row = rows.enabled[name]

        assert (AuthScheme.NONE, None, True) == (row.auth, row.credential, row.free)
        assert "none" == rows.credential_sources[name]


def test_a_local_row_with_a_key_sends_it(read):
    row = read(VLLM_API_KEY="k1").enabled["vllm"]

    assert (AuthScheme.BEARER, "k1") == (row.auth, row.credential.reveal())


def test_azure_needs_an_address_of_its_own(read, problems_of, file):
    url = "https://r.openai.azure.com/openai/v1"
    row = read({"azure": {"query": "api-version=preview"}}, AZURE_API_KEY="k", AZURE_BASE_URL=url)
    azure = row.enabled["azure"]

    assert (AuthScheme.API_KEY, "/openai/v1") == (azure.auth, azure.base_path)
    assert "api-version=preview" == azure.query
    # Other programs use the same variable for the key.
    assert "set AZURE_BASE_URL" == read(AZURE_API_KEY="k").disabled["azure"]
    assert (
        (
            f"{file}: [providers.azure] needs base_url or the environment variable AZURE_BASE_URL, "
            'such as "https://RESOURCE.openai.azure.com/openai/v1"'
        ),
    ) == problems_of({"azure": {}}, AZURE_API_KEY="k")


def test_the_known_dialect_written_out_changes_no_auth(read):
    tables = {"azure": {"dialect": "openai", "base_url": "https://r.example"}}

    assert AuthScheme.API_KEY is read(tables, AZURE_API_KEY="k").enabled["azure"].auth


def test_another_dialect_has_another_auth(read):
    tables = {"openrouter": {"dialect": "anthropic"}}

    assert AuthScheme.X_API_KEY is read(tables, OPENROUTER_API_KEY="k").enabled["openrouter"].auth


def test_a_new_name_is_a_row_of_its_own(read):
    rows = read({"my-own": OWN | {"gateway": True, "free": True}}, MY_OWN_API_KEY="k1")
    row = rows.enabled["my-own"]

    assert ("my-own", "own.example", "/v1") == (row.name, row.origin.host, row.base_path)
    assert (AuthScheme.BEARER, "k1") == (row.auth, row.credential.reveal())
    assert row.gateway
    assert row.free


def test_all_of_a_table_reaches_the_row(read):
    table = OWN | {
        "auth": "api-key",
        "api_key": "env:K",
        "connect_timeout_s": 1,
        "first_byte_timeout_s": 2,
        "idle_timeout_s": 3,
        "connections_max": 4,
        "query": "a=1",
        "headers": {"X-A": "b"},
    }
    row = read({"own": table}, K="k").enabled["own"]

    assert AuthScheme.API_KEY is row.auth
    assert Timeouts(connect_s=1.0, first_byte_s=2.0, idle_s=3.0) == row.timeouts
    assert (4, "a=1", (("x-a", "b"),)) == (row.connections_max, row.query, row.headers)


def test_auth_none_sends_no_key_and_needs_none(read):
    rows = read({"groq": {"auth": "none"}}, GROQ_API_KEY="k")

    assert (AuthScheme.NONE, None) == (
        rows.enabled["groq"].auth,
        rows.enabled["groq"].credential,
    )
    assert "none" == rows.credential_sources["groq"]


def test_a_key_that_would_not_be_sent_is_a_problem(problems_of):
    (problem,) = problems_of({"groq": {"auth": "none", "api_key": "env:K"}})

    assert 'has an api_key, but auth = "none" would not send it' in problem


def test_a_misspelt_row_gets_a_suggestion(problems_of, file):
    assert (
        (
            f"{file}: [providers.grok] is not a provider korad knows, so it needs dialect and "
            'base_url; did you mean "groq"?'
        ),
    ) == problems_of({"grok": {"api_key": "env:K"}})


@pytest.mark.parametrize("name", ["", "Groq", "a/b", "-a", "a b", "a" * 65, "ä"])
def test_a_row_has_a_name_that_can_stand_before_the_slash(problems_of, name):
    (problem,) = problems_of({name: OWN})

    assert "a provider's name is up to 64" in problem


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"api_kye": "hunter2"}, '"api_kye" is not known; did you mean "api_key"?'),
        ({"api_key": 1}, "api_key must be a string that is not empty"),
        ({"auth": "hunter2"}, "auth must be one of bearer, x-api-key, api-key, none"),
        ({"dialect": "hunter2"}, "dialect must be one of openai, anthropic"),
        ({"base_url": "https://a:hunter2@b"}, "base_url must be an address such as"),
        ({"connections_max": 0}, "connections_max must be a whole number from 1 to 1000000"),
        ({"idle_timeout_s": "1"}, "idle_timeout_s must be a number of seconds, above 0"),
        ({"gateway": 1}, "gateway must be true or false"),
        ({"headers": {"x": 1}}, "headers must be a table of strings"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(problems_of, file, table, problem):
    (found,) = problems_of({"groq": table})

    assert found.startswith(f"{file}: [providers.groq] {problem}")


def test_a_row_that_is_no_table_is_a_problem(problems_of, file):
    assert (
        f"{file}: [providers.groq] must be a table",
        f"{file}: [providers.own] must be a table",
    ) == problems_of({"groq": "hunter2", "own": 1})


def test_a_wrong_address_in_the_environment_names_its_variable(problems_of):
    (problem,) = problems_of(GROQ_BASE_URL="groq.com?hunter2")

    assert problem.startswith("GROQ_BASE_URL must be an address")


def test_only_one_row_can_be_the_gateway(problems_of, file):
    gateway = OWN | {"gateway": True}

    assert (f"{file}: only one provider can be the gateway, not one and two",) == problems_of(
        {"one": gateway, "two": gateway}
    )


def test_problems_of_several_rows_are_told_at_once(problems_of):
    assert 3 == len(problems_of({"groq": {"a": 1, "auth": "b"}, "own": OWN | {"free": 1}}))
