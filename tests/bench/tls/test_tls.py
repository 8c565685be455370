"""Handshakes are counted by the provider: which ways make which, and what is made of it."""

from __future__ import annotations

import shutil
import ssl

import msgspec
import pytest

from bench.__main__ import main
from bench.tls import command
from bench.tls.certificate import AUTHORITY, CERTIFICATE, KEY, CertificateError, make_certificate
from bench.tls.command import RESUMED, TlsBenchError, measured, table
from bench.tls.measure import BURST
from bench.tls.ways import WAYS, Outcome

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the command openssl"
)


@pytest.fixture(scope="module")
def outcome():
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    return measured(0.3)


def test_the_certificate_is_good_for_the_address_and_nobody_else_vouches_for_it(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    make_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / CERTIFICATE, tmp_path / KEY)

    def handshake(context):
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, far, client):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        return client.version()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context)
    context.load_verify_locations(tmp_path / AUTHORITY)
    assert "TLSv1.3" == handshake(context)


def test_without_openssl_that_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["tls", "--seconds", "0.1"]) == 2
    assert "needs the command openssl" in capsys.readouterr().err


def test_what_openssl_says_is_passed_on(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    (tmp_path / AUTHORITY).mkdir()
    with pytest.raises(CertificateError, match=r"openssl failed: .+"):
        make_certificate(tmp_path)


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if not way.new_connection])
def test_a_connection_kept_alive_is_opened_once(outcome, name):
    found = outcome.ways[name]

    assert found.requests > 0
    # It was opened by a request that is not counted.
    assert (0, 0, 0) == (found.connections, found.full, found.resumed)


def test_without_tickets_each_handshake_is_a_full_one(outcome):
    found = outcome.ways["TLS, new connection, cold"]

    assert found.requests > 0
    assert found.requests == found.connections == found.full
    assert 0 == found.resumed


def test_with_tickets_each_handshake_is_resumed(outcome):
    found = outcome.ways[RESUMED]

    assert found.requests > 0
    assert found.requests == found.connections == found.resumed
    assert 0 == found.full
    assert found.cipher.startswith("TLSv1.3 ")


def test_without_tls_there_is_no_handshake(outcome):
    found = outcome.ways["plain, new connection"]

    assert found.requests == found.connections > 0
    assert (0, 0, "") == (found.full, found.resumed, found.cipher)


def test_connections_opened_at_once_are_all_resumed(outcome):
    assert (0, BURST) == (outcome.burst.full, outcome.burst.resumed)


def test_the_table_tells_every_way_and_what_follows(outcome):
    text = table(outcome)

    assert all(name in text for name in WAYS)
    assert f"{BURST} connections at once: {BURST} resumed" in text


def with_resumed(outcome, **changes):
    ways = outcome.ways | {RESUMED: msgspec.structs.replace(outcome.ways[RESUMED], **changes)}
    return msgspec.structs.replace(outcome, ways=ways)


def test_a_session_that_is_not_resumed_fails_the_verb(outcome, monkeypatch, tmp_path, capsys):
    given = outcome
    monkeypatch.setattr(command, "measured", lambda _: given)
    out = tmp_path / "tls.json"

    assert main(["tls", "--json", str(out)]) == 0
    assert outcome == msgspec.json.decode(out.read_bytes(), type=Outcome)

    given = with_resumed(outcome, full=1, resumed=outcome.ways[RESUMED].resumed - 1)
    assert main(["tls"]) == 1
    assert "resumed" in capsys.readouterr().out


@needs_openssl
def test_an_error_of_the_measuring_process_is_passed_on(monkeypatch, capsys):
    monkeypatch.setattr(command, "AUTHORITY", "nobody.pem")

    with pytest.raises(TlsBenchError, match="could not be verified"):
        measured(0.1)
    assert main(["tls", "--seconds", "0.1"]) == 2
    assert "could not be verified" in capsys.readouterr().err
