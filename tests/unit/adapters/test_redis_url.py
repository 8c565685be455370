"""A Redis URL says what it says, and no message about it tells the password."""

from __future__ import annotations

import pytest

from korad.adapters.redis_url import RedisKind, parse_redis_url


def test_a_server_with_everything():
    found = parse_redis_url(
        "rediss://bo%40b:p%2Fw%3A%23@db.example:7000/3?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none"
    )

    assert (found.kind, found.hosts, found.db) == (RedisKind.TCP, (("db.example", 7000),), 3)
    assert found.user == "bo@b"
    assert found.password is not None
    assert found.password.reveal() == "p/w:#"
    assert found.tls is not None
    assert (found.tls.ca_certs, found.tls.cert_reqs) == ("/ca.pem", "none")
    assert not found.tls.check_hostname


def test_what_is_left_out_is_the_usual():
    found = parse_redis_url("redis://")

    assert found.hosts == (("localhost", 6379),)
    assert (found.user, found.password, found.db, found.tls) == (None, None, 0, None)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("redis://h", (("h", 6379),)),
        ("REDIS://h:1", (("h", 1),)),
        ("redis://[::1]:7", (("::1", 7),)),
        ("redis://[::1]", (("::1", 6379),)),
        ("redis+cluster://a,b:2,[::3]:3", (("a", 6379), ("b", 2), ("::3", 3))),
        ("redis+sentinel://a,b:2/main", (("a", 26379), ("b", 2))),
    ],
)
def test_hosts(url, hosts):
    assert parse_redis_url(url).hosts == hosts


def test_a_unix_socket_whose_path_has_an_at_sign():
    found = parse_redis_url("unix:///run/a%20b/x@y.sock?db=2")

    assert (found.kind, found.path, found.db) == (RedisKind.UNIX, "/run/a b/x@y.sock", 2)


def test_sentinels():
    found = parse_redis_url(
        "rediss+sentinel://u:master@a:1,b:2/main/4?sentinel_password=s%26s&sentinel_username=w"
    )

    assert (found.kind, found.service, found.db) == (RedisKind.SENTINEL, "main", 4)
    assert found.tls is not None
    assert found.sentinel_user == "w"
    assert found.sentinel_password is not None
    assert found.sentinel_password.reveal() == "s&s"


def test_repr_and_label_keep_the_password():
    found = parse_redis_url("rediss+sentinel://u:hush@a:1/main/2?sentinel_password=hush")

    assert "hush" not in repr(found)
    assert found.label == "rediss+sentinel://a:1/main/2"


@pytest.mark.parametrize(
    "label", ["redis://h:1", "redis://[::1]:1/3", "unix:///a.sock?db=1", "redis+cluster://a:1,b:2"]
)
def test_a_label_is_the_url_again(label):
    assert parse_redis_url(label).label == label


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hush@h:1", "begins with one of"),
        ("http://:hush@h", "begins with one of"),
        ("redis://u:hu/sh@h:1", "%2F"),
        ("redis://u:hu?sh@h:1", "%3F"),
        ("redis://u:hu#sh@h:1", "%23"),
        ("redis://u:hu sh@h:1", "%20"),
        ("redis://hush@h:1", "user without a password"),
        ("redis://:hush@h:port", "no number from 1"),
        ("redis://:hush@h:0", "no number from 1"),
        ("redis://:hush@h:65536", "no number from 1"),
        ("redis://:hush@:1", "empty host"),
        ("redis://:hush@a,b", "several hosts"),
        ("redis://:hush@::1:1", "brackets"),
        ("redis://:hush@h/x", "is a number"),
        ("redis://:hush@h/1/2", "one database"),
        ("redis://:hush@h/1?db=1", "one database"),
        ("redis://:hush@h?db=1&db=2", "twice"),
        ("redis://:hush@h?hush=1", "there are: db"),
        ("redis://:hush@h?ssl_ca_certs=x", "begins with rediss"),
        ("rediss://:hush@h?ssl_cert_reqs=maybe", "required, optional, none"),
        ("rediss://:hush@h?ssl_keyfile=k", "needs ssl_certfile"),
        ("redis+sentinel://:hush@h:1", "names its service"),
        ("redis+cluster://:hush@h:1/1", "database 0 only"),
        ("redis+cluster://:hush@h:1?db=1", "unknown option"),
        ("unix://:hush@", "three slashes"),
        ("unix://hush/a.sock", "three slashes"),
        ("unix://u:hu/sh@/a.sock", "%2F"),
    ],
)
def test_what_is_wrong_is_told_without_the_password(url, message):
    with pytest.raises(ValueError, match=r"Redis|ssl_|sentinel|unix|hosts") as caught:
        parse_redis_url(url)

    assert message in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "hu/" not in str(caught.value)
