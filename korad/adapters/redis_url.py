"""Where a Redis is, as a URL tells it.

    redis://[user:password@]host:port/db              one server
    rediss://...?ssl_ca_certs=FILE                    the same over TLS
    unix://[user:password@]/path/of.sock?db=0         a unix socket
    redis+sentinel://[user:password@]host:port,host:port/SERVICE/db?sentinel_password=...
    redis+cluster://[user:password@]host:port,host:port

`rediss+sentinel` and `rediss+cluster` are the two last over TLS. A name or password is
percent-decoded. No message here repeats a part of the URL that could be a piece of the password.
"""

from __future__ import annotations

from enum import Enum
from urllib.parse import parse_qsl, unquote

from korad.domain.secret import Secret
from korad.domain.value import value

REDIS_PORT = 6379
SENTINEL_PORT = 26379
PORT_MAX = 65_535

_TLS_NAMES = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)
_SENTINEL_NAMES = ("sentinel_username", "sentinel_password")
_CERT_REQS = ("required", "optional", "none")
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


class RedisKind(Enum):
    """How the server that takes the writes is found."""

    TCP = "tcp"
    UNIX = "unix"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES = {
    "redis": (RedisKind.TCP, False),
    "rediss": (RedisKind.TCP, True),
    "unix": (RedisKind.UNIX, False),
    "redis+sentinel": (RedisKind.SENTINEL, False),
    "rediss+sentinel": (RedisKind.SENTINEL, True),
    "redis+cluster": (RedisKind.CLUSTER, False),
    "rediss+cluster": (RedisKind.CLUSTER, True),
}


@value
class RedisTls:
    """How the server's certificate is checked, and which one is shown to it. Values are paths."""

    ca_certs: str | None = None
    """None: the system's authorities."""
    certfile: str | None = None
    keyfile: str | None = None
    cert_reqs: str = "required"
    """"required", "optional" or "none"."""
    check_hostname: bool = True


@value
class RedisAddress:
    """A Redis and what it takes to be let in. Treat as read-only."""

    kind: RedisKind
    hosts: tuple[tuple[str, int], ...] = ()
    """The server; the sentinels; some nodes of the cluster. Empty for a unix socket."""
    path: str | None = None
    """Of the unix socket."""
    service: str | None = None
    """What the sentinels call the master."""
    user: str | None = None
    password: Secret | None = None
    db: int = 0
    tls: RedisTls | None = None
    sentinel_user: str | None = None
    sentinel_password: Secret | None = None

    @property
    def label(self) -> str:
        """The address for people: a URL without user and password."""
        if self.kind is RedisKind.UNIX:
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        scheme = next(
            name for name, what in _SCHEMES.items() if what == (self.kind, bool(self.tls))
        )
        hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.hosts)
        tail = f"/{self.service}" if self.service else ""
        return f"{scheme}://{hosts}{tail}" + (f"/{self.db}" if self.db else "")


def unix_address(path: str) -> RedisAddress:
    """Return the address of a server of our own on a unix socket."""
    return RedisAddress(kind=RedisKind.UNIX, path=path)


def parse_redis_url(url: str) -> RedisAddress:
    """Return what `url` says. Raises ValueError, without a piece of the password, if it cannot."""
    scheme, found, rest = url.strip().partition("://")
    if not found or scheme.lower() not in _SCHEMES:
        raise ValueError(
            f"a Redis URL begins with one of: {', '.join(f'{s}://' for s in _SCHEMES)}"
        )
    if "#" in rest or any(character <= " " for character in rest):
        raise ValueError("a Redis URL has no blanks and no '#': write them as %20 and %23")
    kind, over_tls = _SCHEMES[scheme.lower()]
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    _refuse_raw_characters(kind, authority, path, query)
    user, password, where = _credentials(authority)
    options = _options(query, kind, over_tls=over_tls)
    tls = _tls(options) if over_tls else None
    if kind is RedisKind.UNIX:
        if where or not path:
            raise ValueError("a unix URL is unix:///path/of.sock: three slashes, then the path")
        return RedisAddress(
            kind=kind,
            path=unquote(slash + path),
            user=user,
            password=password,
            db=_db(options.get("db", "")),
        )
    service, db = _path(kind, path, options.get("db"))
    return RedisAddress(
        kind=kind,
        hosts=_hosts(where, SENTINEL_PORT if kind is RedisKind.SENTINEL else REDIS_PORT, kind),
        service=service,
        user=user,
        password=password,
        db=db,
        tls=tls,
        sentinel_user=options.get("sentinel_username"),
        sentinel_password=_secret(options.get("sentinel_password")),
    )


def _refuse_raw_characters(kind: RedisKind, authority: str, path: str, query: str) -> None:
    """Refuse a password that ends the host part early: its rest would be taken for a path."""
    if "@" in query or ("@" in path and (kind is not RedisKind.UNIX or authority)):
        raise ValueError(
            "a Redis URL has an '@' behind its host: write '/', '?' and '@' in a user or password "
            "as %2F, %3F and %40"
        )


def _credentials(authority: str) -> tuple[str | None, Secret | None, str]:
    """Return user, password and the rest of `user:password@rest`."""
    before, found, where = authority.rpartition("@")
    if not found:
        return None, None, where
    user, colon, password = before.partition(":")
    if not colon:
        raise ValueError(
            "a Redis URL names a user without a password: write user:password@host, "
            "or :password@host for a password alone"
        )
    return unquote(user) or None, _secret(unquote(password)), where


def _secret(text: str | None) -> Secret | None:
    return Secret(text) if text else None


def _options(query: str, kind: RedisKind, *, over_tls: bool) -> dict[str, str]:
    """Return the query, each name known and given once."""
    known = {"db"} - ({"db"} if kind is RedisKind.CLUSTER else set())
    known |= set(_TLS_NAMES) if over_tls else set()
    known |= set(_SENTINEL_NAMES) if kind is RedisKind.SENTINEL else set()
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs):
        raise ValueError("a Redis URL gives an option twice")
    for name in options:
        if name in _TLS_NAMES and not over_tls:
            raise ValueError(f"{name} needs a Redis URL that begins with rediss")
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ValueError(
                f"a Redis URL has an unknown option; for this kind there are: {listed}"
            )
    return options


def _tls(options: dict[str, str]) -> RedisTls:
    """Return the TLS options."""
    cert_reqs = options.get("ssl_cert_reqs", "required").lower()
    if cert_reqs not in _CERT_REQS:
        raise ValueError(f"ssl_cert_reqs of a Redis URL is one of: {', '.join(_CERT_REQS)}")
    check = _TRUTH.get(options.get("ssl_check_hostname", "true").lower())
    if check is None:
        raise ValueError("ssl_check_hostname of a Redis URL is true or false")
    if options.get("ssl_keyfile") and not options.get("ssl_certfile"):
        raise ValueError("ssl_keyfile of a Redis URL needs ssl_certfile")
    return RedisTls(
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
        cert_reqs=cert_reqs,
        check_hostname=check and cert_reqs == "required",
    )


def _path(kind: RedisKind, path: str, db_option: str | None) -> tuple[str | None, int]:
    """Return the sentinels' service and the database that the path names."""
    parts = path.rstrip("/").split("/") if path.rstrip("/") else []
    service = None
    if kind is RedisKind.SENTINEL:
        if not parts:
            raise ValueError(
                "a sentinel URL names its service: redis+sentinel://host:26379/SERVICE"
            )
        service = unquote(parts.pop(0))
    if len(parts) > 1 or (parts and db_option is not None):
        raise ValueError("a Redis URL has one database, as a number: redis://host:6379/0")
    db = _db(parts[0] if parts else db_option or "")
    if kind is RedisKind.CLUSTER and db:
        raise ValueError("a Redis cluster has database 0 only")
    return service, db


def _db(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the database of a Redis URL is a number, as in redis://host:6379/0")
    return int(text)


def _hosts(where: str, port: int, kind: RedisKind) -> tuple[tuple[str, int], ...]:
    """Return the hosts and ports of `a:1,b:2`."""
    found = [_host(part, port) for part in where.split(",")] if where else [("localhost", port)]
    if kind is RedisKind.TCP and len(found) > 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    return tuple(found)


def _host(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or (text.startswith("[") and text.endswith("]")):
        host, port = text, str(default_port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address in a Redis URL stands in brackets: redis://[::1]:6379")
    if not host:
        raise ValueError("a Redis URL has an empty host")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
        raise ValueError("a port of a Redis URL is no number from 1 to 65535")
    return host, int(port)
