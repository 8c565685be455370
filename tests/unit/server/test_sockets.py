"""One free port on every address of the host."""

from __future__ import annotations

import socket

import pytest

from korad.server.sockets import bind, resolve

V4, V6 = socket.AF_INET, socket.AF_INET6


class FakeSocket:
    """A socket that binds to what its machine has."""

    missing: tuple = ()
    made: list = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, family, kind):
        self.family, self.kind, self.options, self.closed = family, kind, [], False
        FakeSocket.made.append(self)

    def setsockopt(self, *option):
        self.options.append(option)

    def setblocking(self, flag):
        self.blocking = flag

    def bind(self, address):
        if self.family in FakeSocket.missing:
            raise OSError("cannot assign")
        self.address = (address[0], address[1] or 40_000, *address[2:])

    def getsockname(self):
        return self.address

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def fake_sockets(monkeypatch):
    monkeypatch.setattr(FakeSocket, "made", [])
    monkeypatch.setattr(FakeSocket, "missing", ())
    monkeypatch.setattr(socket, "socket", FakeSocket)


BOTH = [(V4, ("127.0.0.1", 0)), (V6, ("::1", 0, 0, 0))]


def test_every_address_gets_the_same_free_port():
    bound = bind(BOTH, share=False)

    assert [40_000, 40_000] == [each.getsockname()[1] for each in bound]
    assert {False} == {each.blocking for each in bound}
    assert (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1) in bound[1].options


@pytest.mark.parametrize("share", [True, False])
def test_a_port_is_shared_only_when_asked(share):
    (bound,) = bind(BOTH[:1], share=share)

    assert share is ((socket.SOL_SOCKET, socket.SO_REUSEPORT, 1) in bound.options)


@pytest.mark.parametrize(("missing", "left"), [(V6, [V4]), (V4, [V6])])
def test_an_address_the_machine_does_not_have_is_skipped_and_closed(monkeypatch, missing, left):
    monkeypatch.setattr(FakeSocket, "missing", (missing,))

    assert left == [each.family for each in bind(BOTH, share=False)]
    assert [each.family for each in FakeSocket.made if each.closed] == [missing]


@pytest.mark.parametrize("addresses", [BOTH, []])
def test_no_address_at_all_is_an_error(monkeypatch, addresses):
    monkeypatch.setattr(FakeSocket, "missing", (V4, V6))

    with pytest.raises(OSError, match=r"cannot assign|no address"):
        bind(addresses, share=False)


def test_an_address_found_twice_is_listened_on_once(monkeypatch):
    twice = [(V4, None, 6, "", ("127.0.0.1", 1))] * 2
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: twice)

    assert resolve("localhost", 1) == [(V4, ("127.0.0.1", 1))]
