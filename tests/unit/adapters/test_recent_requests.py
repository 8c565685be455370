"""The ring of recent requests: found by id, gone after a turn, never torn."""

from __future__ import annotations

import msgspec
import pytest

from korad.adapters.recent_requests import RecentRing, RequestIds
from korad.adapters.shared_pages import RECORD_BYTES, RECORDS, make_pages
from tests.support.records import a_record


@pytest.fixture
def pages():
    return make_pages(2)


def put(ring, request_id, **fields):
    record = a_record(request_id, **fields)
    ring.put(record, msgspec.json.encode(record))


def test_ids_are_unique_and_name_their_worker():
    first, other = RequestIds(0), RequestIds(255)
    ids = [first.next(), first.next(), other.next(), RequestIds(0).next()]

    assert len(set(ids)) == 4
    assert {len(request_id) for request_id in ids} == {36}
    assert ids[2].startswith("req_ff")


def test_every_worker_finds_the_record_of_another(pages):
    request_id = RequestIds(1).next()
    put(RecentRing(pages, 1), request_id, key_id="vk_9")
    found = RecentRing(pages, 0).find(request_id)

    assert found is not None
    assert found.key_id == "vk_9"
    assert msgspec.json.decode(found.json)["request_id"] == request_id


def test_a_record_is_gone_when_the_ring_has_turned(pages):
    ring, ids = RecentRing(pages, 0), RequestIds(0)
    first = ids.next()
    put(ring, first, client_request_id="x" * 100)
    for _ in range(RECORDS - 1):
        last = ids.next()
    put(ring, last)

    assert ring.find(first) is not None
    put(ring, newest := ids.next())
    assert ring.find(first) is None
    assert ring.find(newest) is not None
    assert ring.find(last) is not None


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "req_",
        "req_" + "0" * 32,
        "req_zz" + "0" * 30,
        "req_ff" + "0" * 30,
        "req_-1" + "0" * 30,
        "req_00-000000001" + "0" * 20,
        "req_00" + "_" * 30,
        "req_00+" + "0" * 29,
        "x" * 36,
        "\u0660" * 36,
    ],
)
def test_an_id_that_is_no_id_finds_nothing(pages, request_id):
    assert RecentRing(pages, 0).find(request_id) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"client_request_id": '"' * 512},
        {"client_request_id": "x" * 512, "upstream_request_id": "\xff" * 200},
        {"model": "\x01" * 256},
        {"model": "\U0001f600" * 256},
        {"model": "m" * 70_000},
        {"error_code": "c" * 70_000},
    ],
)
def test_an_extreme_record_is_shortened_and_stays_in_its_slot(pages, fields):
    ring, ids = RecentRing(pages, 0), RequestIds(0)
    before, extreme, after = ids.next(), ids.next(), ids.next()
    put(ring, before)
    put(ring, after)
    put(ring, extreme, **fields)
    found = ring.find(extreme)

    assert found is not None
    assert len(found.json) <= RECORD_BYTES - 2
    assert ring.find(before) is not None
    assert ring.find(after) is not None


@pytest.mark.parametrize("torn", [b"\xff", b'{"request_id":"\xff\xff"}', b"{}", b"[]", b"{"])
def test_a_torn_record_is_not_found(pages, torn):
    ring, ids = RecentRing(pages, 0), RequestIds(0)
    request_id = ids.next()
    pages.recent[0][RECORD_BYTES : RECORD_BYTES + 2 + len(torn)] = (
        len(torn).to_bytes(2, "little") + torn
    )

    assert ring.find(request_id) is None
