"""What holds for virtual keys, teams and customers in every store: one suite for all of them."""

from __future__ import annotations

import threading

import pytest

from korad.adapters.key_errors import (
    InvalidKeyError,
    KeyConflictError,
    KeyNotFoundError,
    KeyStoreError,
)
from korad.adapters.key_store import SqliteKeyStore
from korad.adapters.redis_key_store import RedisKeyStore
from korad.auth import digest_key
from korad.domain.limits import Budget, EntityLimits, GroupKind, Limits, Reset

TEAM, CUSTOMER = GroupKind.TEAM, GroupKind.CUSTOMER
DEMO_SECRET = "sk-bf-YOUR_VIRTUAL_KEY"
PEPPER = b"p" * 32
NOW_S = 1_700_000_000
MONTHLY = Budget(limit_nano_usd=50_000_000_001, reset=Reset.MONTH)
DAILY = Budget(limit_nano_usd=1, reset=Reset.DAY)


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request, tmp_path):
    """Return a function that opens the same store again."""
    opened = []

    def open_one():
        if request.param == "sqlite":
            store = SqliteKeyStore(tmp_path / "state" / "keys.sqlite3", PEPPER)
        else:
            store = RedisKeyStore(request.getfixturevalue("redis_server").address, PEPPER)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


def make(store, name, **settings):
    return store.create(name, now_s=NOW_S, **settings)[0]


def ids(keys):
    return [key.key_id for key in keys]


def test_a_key_is_found_by_id_name_and_secret_by_whoever_opens_the_store(store, open_store):
    key, secret = store.create(
        "alice",
        now_s=NOW_S,
        level="high",
        allowed_providers=frozenset({"openai", "azure"}),
        allowed_models=frozenset(),
        margin_bp=12_000,
        cache=True,
        expires_at_s=NOW_S + 60,
        fail_closed=True,
        limits={"budgets": (MONTHLY, DAILY), "requests_per_minute": 60, "tokens_per_minute": 9,
                "concurrent_max": 3},
    )  # fmt: skip
    other = open_store()

    assert key.digest == digest_key(PEPPER, secret.reveal())
    assert key == other.get(key.key_id) == other.get("alice") == other.get(secret.reveal())
    assert other.list_keys() == [key]
    assert other.hint(key.key_id) == other.hints()[key.key_id] == secret.reveal()[-4:]
    assert other.get("bob") is None
    assert key.own_limits == Limits(
        budgets=(MONTHLY, DAILY), requests_per_minute=60, tokens_per_minute=9, concurrent_max=3
    )
    assert key.limits == (EntityLimits(entity=key.key_id, limits=key.own_limits),)


def test_a_new_store_holds_nothing(store):
    assert store.version() == 0
    assert store.changes_since(0) == (0, [])
    assert store.list_keys() == []
    assert store.list_groups(TEAM) == []


def test_two_active_keys_cannot_have_one_name_nor_any_two_one_secret(store):
    alice = store.create("alice", now_s=NOW_S, secret=DEMO_SECRET)[0]
    rev = store.version()
    with pytest.raises(KeyConflictError, match=alice.key_id):
        make(store, "alice")
    with pytest.raises(KeyConflictError, match="secret"):
        make(store, "bob", secret=DEMO_SECRET)
    store.revoke("alice")
    with pytest.raises(KeyConflictError, match="secret"):
        make(store, "bob", secret=DEMO_SECRET)

    assert ids(store.list_keys()) == [alice.key_id]
    assert ids(store.changes_since(rev)[1]) == [alice.key_id]


def test_the_name_of_a_revoked_key_is_free_and_means_the_active_key(store):
    former = make(store, "alice")
    store.revoke("alice")
    assert store.get("alice").key_id == former.key_id
    key = store.create("alice", now_s=NOW_S + 1)[0]

    assert store.get("alice") == key
    with pytest.raises(KeyConflictError):
        store.update(former.key_id, active=True)
    store.update("alice", name="carol")
    assert store.update(former.key_id, active=True).active
    assert store.get("alice").key_id == former.key_id
    assert store.get("carol").key_id == key.key_id


def test_the_newest_of_the_revoked_keys_of_a_name_is_meant(store):
    for second in range(3):
        key = store.create("alice", now_s=NOW_S + second)[0]
        store.revoke(key.key_id)

    assert store.get("alice").key_id == key.key_id


def test_an_update_changes_what_it_names(store):
    key = make(store, "alice", level="high", limits={"budgets": (DAILY,), "concurrent_max": 2})
    changed = store.update(
        "alice", level=None, limits={"requests_per_minute": 5, "concurrent_max": None}
    )

    assert changed == store.get(key.key_id)
    assert changed.level is None
    assert changed.own_limits == Limits(budgets=(DAILY,), requests_per_minute=5)
    cleared = store.update("alice", limits={"budgets": (), "requests_per_minute": None})
    assert cleared.own_limits == Limits()
    assert cleared.limits == ()


@pytest.mark.parametrize(
    "limits",
    [
        {"budgets": (DAILY, DAILY)},
        {"budgets": (Budget(limit_nano_usd=-1),)},
        {"budgets": (Budget(limit_nano_usd=2**53 + 1),)},
        {"requests_per_minute": 0},
        {"tokens_per_minute": 10**12 + 1},
        {"concurrent_max": -1},
    ],
)
def test_what_can_be_no_limit_is_refused(store, limits):
    with pytest.raises(InvalidKeyError):
        make(store, "alice", limits=limits)
    with pytest.raises(InvalidKeyError):
        store.create_group(TEAM, "t", now_s=NOW_S, limits=limits)

    assert store.list_keys() == []
    assert store.list_groups(TEAM) == []


def test_the_largest_budget_is_kept_exactly(store):
    largest = Budget(limit_nano_usd=2**53)
    make(store, "alice", limits={"budgets": (largest,)})

    assert store.get("alice").own_limits.budgets == (largest,)


def test_a_key_has_the_limits_of_its_team_and_its_teams_customer(store):
    customer = store.create_group(CUSTOMER, "acme", now_s=NOW_S, limits={"budgets": (MONTHLY,)})
    team = store.create_group(
        TEAM, "dev", now_s=NOW_S, customer_id=customer.group_id, limits={"concurrent_max": 4}
    )
    key = make(store, "alice", team_id=team.group_id, limits={"requests_per_minute": 7})

    assert [each.entity for each in key.limits] == [key.key_id, team.group_id, customer.group_id]
    assert [each.limits for each in key.limits] == [key.own_limits, team.limits, customer.limits]
    assert (key.team_id, key.customer_id, key.account) == (
        team.group_id,
        customer.group_id,
        customer.group_id,
    )
    assert key == store.get("alice")


def test_only_what_limits_anything_is_in_the_chain(store):
    team = store.create_group(TEAM, "dev", now_s=NOW_S)
    customer = store.create_group(CUSTOMER, "acme", now_s=NOW_S, limits={"concurrent_max": 1})
    first = make(store, "a", team_id=team.group_id)
    second = make(store, "b", customer_id=customer.group_id)

    assert first.limits == ()
    assert [each.entity for each in second.limits] == [customer.group_id]
    assert second.account == customer.group_id


def test_a_change_of_a_group_is_a_change_of_all_its_keys_and_of_no_other(store):
    customer = store.create_group(CUSTOMER, "acme", now_s=NOW_S)
    team = store.create_group(TEAM, "dev", now_s=NOW_S, customer_id=customer.group_id)
    of_team = make(store, "of team", team_id=team.group_id)
    of_customer = make(store, "of customer", customer_id=customer.group_id)
    make(store, "alone")
    rev = store.version()
    store.update_group(CUSTOMER, "acme", limits={"concurrent_max": 1})
    newer, changed = store.changes_since(rev)

    assert sorted(ids(changed)) == sorted([of_team.key_id, of_customer.key_id])
    assert {each.limits[0].entity for each in changed} == {customer.group_id}
    store.update_group(TEAM, team.group_id, limits={"requests_per_minute": 2})
    newest, changed = store.changes_since(newer)
    assert ids(changed) == [of_team.key_id]
    assert [each.entity for each in changed[0].limits] == [team.group_id, customer.group_id]
    assert newest == store.version() > newer > rev


def test_a_team_that_moves_to_another_customer_takes_its_keys_along(store):
    first = store.create_group(CUSTOMER, "first", now_s=NOW_S)
    second = store.create_group(CUSTOMER, "second", now_s=NOW_S)
    team = store.create_group(TEAM, "dev", now_s=NOW_S, customer_id=first.group_id)
    key = make(store, "alice", team_id=team.group_id)
    rev = store.version()
    store.update_group(TEAM, "dev", customer_id=second.group_id)

    assert store.changes_since(rev)[1][0].customer_id == second.group_id
    store.update_group(TEAM, "dev", customer_id=None)
    assert store.get(key.key_id).customer_id is None


def test_a_key_of_a_team_has_no_other_customer_than_its_team(store):
    acme = store.create_group(CUSTOMER, "acme", now_s=NOW_S)
    other = store.create_group(CUSTOMER, "other", now_s=NOW_S)
    team = store.create_group(TEAM, "dev", now_s=NOW_S, customer_id=acme.group_id)
    with pytest.raises(KeyConflictError, match="team"):
        make(store, "a", team_id=team.group_id, customer_id=other.group_id)
    key = make(store, "a", team_id=team.group_id, customer_id=acme.group_id)
    with pytest.raises(KeyConflictError, match="team"):
        store.update_group(TEAM, "dev", customer_id=other.group_id)

    assert store.get(key.key_id).customer_id == acme.group_id
    assert store.get_group(TEAM, "dev").customer_id == acme.group_id


def test_a_place_that_is_not_there_or_of_the_other_kind_is_refused(store):
    team = store.create_group(TEAM, "dev", now_s=NOW_S)
    for places in ({"team_id": "tm_0"}, {"customer_id": "cu_0"}, {"customer_id": team.group_id}):
        with pytest.raises(KeyNotFoundError):
            make(store, "a", **places)
    with pytest.raises(KeyNotFoundError):
        store.create_group(TEAM, "ops", now_s=NOW_S, customer_id=team.group_id)
    with pytest.raises(KeyNotFoundError):
        store.update_group(CUSTOMER, "dev", limits={})
    with pytest.raises(KeyNotFoundError):
        store.update("nobody", level="low")

    assert store.list_keys() == []


def test_names_of_groups_are_taken_per_kind(store):
    team = store.create_group(TEAM, "acme", now_s=NOW_S)
    customer = store.create_group(CUSTOMER, "acme", now_s=NOW_S)
    ops = store.create_group(TEAM, "ops", now_s=NOW_S + 1)
    with pytest.raises(KeyConflictError, match=team.group_id):
        store.create_group(TEAM, "acme", now_s=NOW_S)
    with pytest.raises(KeyConflictError):
        store.update_group(TEAM, "ops", name="acme")

    assert store.get_group(CUSTOMER, "acme") == customer
    assert store.get_group(TEAM, team.group_id) == store.get_group(TEAM, "acme") == team
    assert store.list_groups(TEAM) == [team, ops]
    assert team.group_id.startswith("tm_")
    assert customer.group_id.startswith("cu_")
    assert len(team.group_id) == len(customer.group_id) == 3 + 16


@pytest.mark.parametrize("name", ["", " a", "tm_1", "cu_1", "sk-bf-1", "None", "x" * 129])
def test_a_name_that_could_be_taken_for_something_else_is_refused(store, name):
    with pytest.raises(InvalidKeyError):
        store.create_group(TEAM, name, now_s=NOW_S)

    assert store.list_groups(TEAM) == []


def test_only_what_changed_since_a_revision_is_read(store):
    alice, bob = make(store, "alice"), make(store, "bob")
    rev, keys = store.changes_since(0)
    assert sorted(ids(keys)) == sorted([alice.key_id, bob.key_id])
    assert rev == store.version()
    revoked = store.revoke("alice")
    newest, changes = store.changes_since(rev)

    assert changes == [revoked]
    assert newest == store.version() > rev
    assert store.changes_since(newest) == (newest, [])


def test_many_writers_lose_nothing(open_store):
    start, failures = threading.Barrier(4), []
    stores = [open_store() for _ in range(4)]

    def write(number):
        start.wait()
        try:
            for each in range(5):
                make(stores[number], f"{number}-{each}")
        except KeyStoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(stores[0].list_keys()) == len(stores[0].changes_since(0)[1]) == 20


def test_of_writers_of_one_name_one_wins(open_store):
    start, outcomes = threading.Barrier(4), []
    stores = [open_store() for _ in range(4)]

    def write(number):
        start.wait()
        try:
            outcomes.append(make(stores[number], "alice").key_id)
        except KeyConflictError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ids(stores[0].list_keys()) == [each for each in outcomes if each is not None]
    assert outcomes.count(None) == 3


def test_keys_are_copied_with_their_ids_and_groups_once(store, tmp_path):
    with SqliteKeyStore(tmp_path / "source" / "keys.sqlite3", PEPPER) as source:
        customer = source.create_group(CUSTOMER, "acme", now_s=NOW_S, limits={"concurrent_max": 2})
        team = source.create_group(TEAM, "dev", now_s=NOW_S, customer_id=customer.group_id)
        _, secret = source.create("alice", now_s=NOW_S, team_id=team.group_id)
        source.create("gone", now_s=NOW_S)
        source.revoke("gone")

        assert store.copy_from(source) == 2
        assert store.copy_from(source) == 0
        assert store.get(secret.reveal()) == source.get("alice")
        assert sorted(ids(store.list_keys())) == sorted(ids(source.list_keys()))
        assert store.list_groups(TEAM) == [team]


def test_a_copy_that_conflicts_copies_nothing(store, tmp_path):
    make(store, "alice")
    with SqliteKeyStore(tmp_path / "source" / "keys.sqlite3", PEPPER) as source:
        source.create("bob", now_s=NOW_S)
        source.create("alice", now_s=NOW_S)
        with pytest.raises(KeyConflictError):
            store.copy_from(source)

    assert [key.name for key in store.list_keys()] == ["alice"]
