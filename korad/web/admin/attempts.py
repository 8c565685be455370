"""How often who may be wrong about the token: so many times a minute, per client address."""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address

WRONG_MAX = 10
"""Per minute and address; beyond it every wrong token is told to wait."""
ADDRESSES_MAX = 4_096
"""Addresses remembered; the one that was wrong the longest ago goes first."""
_MINUTE_NS = 60_000_000_000
_IPV6_HOST_BITS = 64


class Attempts:
    """The wrong tokens of the last minute."""

    def __init__(self, *, wrong_max: int = WRONG_MAX, addresses_max: int = ADDRESSES_MAX) -> None:
        self._wrong_max = wrong_max
        self._addresses_max = addresses_max
        self._wrong_ns: OrderedDict[str, deque[int]] = OrderedDict()

    def is_too_many(self, remote: str | None, now_ns: int) -> bool:
        """Note one wrong token of `remote` (None: a Unix socket); True: it was one too many.

        Those that are told to wait are not noted: they lengthen no wait.
        """
        who = _network(remote)
        wrong = self._wrong_ns.setdefault(who, deque(maxlen=self._wrong_max))
        if len(wrong) == self._wrong_max and now_ns - wrong[0] < _MINUTE_NS:
            return True
        wrong.append(now_ns)
        self._wrong_ns.move_to_end(who)
        if len(self._wrong_ns) > self._addresses_max:
            self._wrong_ns.popitem(last=False)
        return False

    def __len__(self) -> int:
        return len(self._wrong_ns)


def _network(remote: str | None) -> str:
    """Return whose address that is: for IPv6 its /64, of which a client has every address."""
    if remote is None or ":" not in remote:
        return remote or ""
    try:
        address = ip_address(remote)
    except ValueError:
        return remote
    if not isinstance(address, IPv6Address):
        return remote
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))
