"""Virtual keys on disk: what is kept, what is not, and who may write when."""

from __future__ import annotations

import sqlite3
import stat
import threading
from dataclasses import replace

import pytest

from korad.adapters.key_errors import (
    InvalidKeyError,
    KeyConflictError,
    KeyNotFoundError,
    KeyStoreError,
)
from korad.adapters.key_rows import SCHEMA_VERSION
from korad.adapters.key_store import KEYS_FILE, SqliteKeyStore, open_key_store
from korad.adapters.pepper import pepper_probe
from korad.auth import KeyRing, digest_key, is_mistyped
from korad.domain.identity import VirtualKey
from korad.domain.limits import GroupKind

DEMO_SECRET = "sk-bf-YOUR_VIRTUAL_KEY"
PEPPER = b"p" * 32
NOW_S = 1_700_000_000


@pytest.fixture
def store(tmp_path):
    with SqliteKeyStore(tmp_path / "state" / KEYS_FILE, PEPPER) as opened:
        yield opened


def test_a_created_key_has_a_random_secret_and_is_found_by_id_name_and_secret(store):
    key, secret = store.create("alice", now_s=NOW_S)

    assert secret.reveal().startswith("sk-bf-")
    assert not is_mistyped(secret.reveal())
    assert key.key_id.startswith("vk_")
    assert key.digest == digest_key(PEPPER, secret.reveal())
    assert [key, key, key] == [
        store.get(key.key_id),
        store.get("alice"),
        store.get(secret.reveal()),
    ]
    assert store.get("bob") is None


def test_every_setting_of_a_key_is_kept(store):
    key, secret = store.create(
        "all",
        now_s=NOW_S,
        level="high",
        allowed_providers=frozenset({"openai", "azure"}),
        allowed_models=frozenset({"openai/*"}),
        margin_bp=12_000,
        cache=True,
        expires_at_s=NOW_S + 60,
        active=False,
    )
    expected = VirtualKey(
        key_id=key.key_id,
        name="all",
        digest=digest_key(PEPPER, secret.reveal()),
        level="high",
        allowed_providers=frozenset({"openai", "azure"}),
        allowed_models=frozenset({"openai/*"}),
        margin_bp=12_000,
        cache=True,
        expires_at_s=NOW_S + 60,
        active=False,
        created_at_s=NOW_S,
    )

    assert expected == key
    assert expected == store.get("all")


def test_an_empty_list_of_models_stays_apart_from_no_list(store):
    store.create("none", now_s=NOW_S, allowed_models=frozenset())
    store.create("any", now_s=NOW_S, allowed_models=None)

    assert store.get("none").allowed_models == frozenset()
    assert store.get("any").allowed_models is None


def test_a_key_may_be_given_its_secret(store):
    key, secret = store.create("demo", now_s=NOW_S, secret=DEMO_SECRET)

    assert secret.reveal() == DEMO_SECRET
    assert key == store.get(DEMO_SECRET)
    assert store.hint(key.key_id) == "_KEY"


def test_the_secret_is_in_no_file(store, tmp_path):
    _, secret = store.create("alice", now_s=NOW_S)
    written = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())

    assert b"alice" in written
    assert secret.reveal().encode() not in written
    assert secret.reveal()[:-4].encode() not in written


def test_folder_and_files_are_the_owners_alone(store, tmp_path):
    store.create("alice", now_s=NOW_S)
    folder = tmp_path / "state"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == dict.fromkeys((KEYS_FILE, f"{KEYS_FILE}-wal", f"{KEYS_FILE}-shm"), 0o600)


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path):
    path = tmp_path / KEYS_FILE
    path.touch(mode=0o644)
    path.chmod(0o644)
    SqliteKeyStore(path, PEPPER).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "vk_1", "sk-bf-1", "x" * 129])
def test_a_name_that_could_be_taken_for_something_else_is_refused(store, name):
    with pytest.raises(InvalidKeyError):
        store.create(name, now_s=NOW_S)

    assert store.list_keys() == []


@pytest.mark.parametrize("secret", ["", "short", "sk-bf-with a space", "sk-bf-" + "é" * 20])
def test_a_secret_that_does_not_fit_in_a_header_is_refused(store, secret):
    with pytest.raises(InvalidKeyError):
        store.create("alice", now_s=NOW_S, secret=secret)


def test_two_active_keys_cannot_have_one_name(store):
    key, _ = store.create("alice", now_s=NOW_S)
    with pytest.raises(KeyConflictError, match=key.key_id):
        store.create("alice", now_s=NOW_S)

    assert [key] == store.list_keys()


def test_two_keys_cannot_have_one_secret_even_when_one_is_revoked(store):
    store.create("demo", now_s=NOW_S, secret=DEMO_SECRET)
    store.revoke("demo")
    with pytest.raises(KeyConflictError, match="secret"):
        store.create("other", now_s=NOW_S, secret=DEMO_SECRET)


def test_the_name_of_a_revoked_key_is_free_and_means_the_active_key(store):
    former, _ = store.create("alice", now_s=NOW_S)
    store.revoke(former.key_id)
    assert store.get("alice").key_id == former.key_id
    key, _ = store.create("alice", now_s=NOW_S + 1)

    assert key == store.get("alice")
    with pytest.raises(KeyConflictError):
        store.update(former.key_id, active=True)
    assert not store.get(former.key_id).active


def test_a_key_cannot_be_renamed_to_an_active_keys_name(store):
    store.create("alice", now_s=NOW_S)
    store.create("bob", now_s=NOW_S)
    with pytest.raises(KeyConflictError):
        store.update("bob", name="alice")
    with pytest.raises(InvalidKeyError):
        store.update("bob", name="")

    assert store.update("bob", name="carol").name == "carol"


def test_an_update_changes_what_it_names_and_clears_what_is_none(store):
    key, _ = store.create("alice", now_s=NOW_S, level="high", margin_bp=12_000)
    changed = store.update("alice", level=None, allowed_models=frozenset({"gpt-4o"}))

    assert changed == store.get(key.key_id)
    assert changed.level is None
    assert changed.allowed_models == frozenset({"gpt-4o"})
    assert changed.margin_bp == 12_000
    assert changed.digest == key.digest


@pytest.mark.parametrize("verb", ["update", "revoke"])
def test_a_key_that_is_not_there_cannot_be_changed(store, verb):
    with pytest.raises(KeyNotFoundError):
        getattr(store, verb)("nobody")

    assert store.version() == 0


def test_only_what_changed_since_a_revision_is_read(store):
    alice, _ = store.create("alice", now_s=NOW_S)
    bob, _ = store.create("bob", now_s=NOW_S)
    rev, keys = store.changes_since(0)
    assert [alice, bob] == keys
    assert rev == store.version() == 2
    revoked = store.revoke("alice")

    assert store.changes_since(rev) == (3, [revoked])
    assert store.changes_since(3) == (3, [])
    assert not revoked.active


def test_a_refused_change_takes_no_revision(store):
    store.create("alice", now_s=NOW_S)
    with pytest.raises(KeyConflictError):
        store.create("alice", now_s=NOW_S)

    assert store.version() == 1


def test_a_ring_that_follows_the_changes_of_another_process_is_up_to_date(store, tmp_path):
    ring = KeyRing()
    with SqliteKeyStore(tmp_path / "state" / KEYS_FILE, PEPPER) as other:
        key, _ = other.create("alice", now_s=NOW_S)
        rev, keys = store.changes_since(0)
        ring.apply(keys)
        assert ring.find(key.digest).active
        other.revoke("alice")

    assert store.version() == rev + 1
    ring.apply(store.changes_since(rev)[1])

    assert not ring.find(key.digest).active


def test_many_writers_lose_nothing_and_share_one_counter(tmp_path):
    path = tmp_path / "state" / KEYS_FILE
    start = threading.Barrier(6)
    failures = []

    def write(writer):
        start.wait()
        try:
            with SqliteKeyStore(path, PEPPER) as mine:
                for number in range(5):
                    mine.create(f"{writer}-{number}", now_s=NOW_S)
        except Exception as error:  # noqa: BLE001 - told below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with SqliteKeyStore(path, PEPPER) as opened:
        assert opened.version() == 30
        assert len(opened.changes_since(0)[1]) == 30


def test_keys_survive_closing(tmp_path):
    with open_key_store(tmp_path) as opened:
        key, secret = opened.create("alice", now_s=NOW_S)
    with open_key_store(tmp_path) as opened:
        assert key == opened.get(secret.reveal())


def test_a_store_with_another_pepper_is_refused_instead_of_knowing_no_key(tmp_path):
    open_key_store(tmp_path).close()
    (tmp_path / "pepper").write_bytes(b"another pepper of 32 bytes......")

    with pytest.raises(KeyStoreError, match="restore"):
        open_key_store(tmp_path)


def test_a_store_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / KEYS_FILE
    SqliteKeyStore(path, PEPPER).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()

    with pytest.raises(KeyStoreError, match="another version"):
        SqliteKeyStore(path, PEPPER)


FIRST_SCHEMA = """
    CREATE TABLE store (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        rev INTEGER NOT NULL,
        pepper_probe BLOB NOT NULL
    );
    CREATE TABLE keys (
        key_id TEXT NOT NULL UNIQUE,
        rev INTEGER NOT NULL,
        name TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        level TEXT,
        allowed_providers TEXT,
        allowed_models TEXT,
        margin_bp INTEGER,
        expires_at_s INTEGER,
        active INTEGER NOT NULL,
        created_at_s INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX keys_by_rev ON keys (rev);
    CREATE UNIQUE INDEX active_keys_by_name ON keys (name) WHERE active;
    PRAGMA user_version = 1;
"""


def test_a_store_of_the_first_version_is_taken_over_with_all_its_keys(tmp_path):
    path = tmp_path / KEYS_FILE
    db = sqlite3.connect(path)
    db.executescript(FIRST_SCHEMA)
    db.execute("INSERT INTO store VALUES (1, 1, ?)", (pepper_probe(PEPPER),))
    db.execute(
        "INSERT INTO keys VALUES ('vk_1', 1, 'alice', ?, '_KEY', 'low', NULL, NULL, 0, NULL, 1, 7)",
        (digest_key(PEPPER, DEMO_SECRET),),
    )
    db.commit()
    db.close()
    with SqliteKeyStore(path, PEPPER) as opened:
        taken_over = opened.get(DEMO_SECRET)
        changed = opened.update("alice", cache=True)
    with SqliteKeyStore(path, PEPPER) as opened:
        kept = opened.get("alice")

    assert (taken_over.key_id, taken_over.level, taken_over.margin_bp) == ("vk_1", "low", 0)
    assert (taken_over.cache, taken_over.active, taken_over.created_at_s) == (False, True, 7)
    assert replace(taken_over, cache=True) == changed == kept


def test_a_new_store_and_one_taken_over_have_the_same_columns(tmp_path):
    for name, script in (("new", ""), ("old", FIRST_SCHEMA)):
        db = sqlite3.connect(tmp_path / name)
        db.executescript(script)
        if script:
            probe = pepper_probe(PEPPER)
            db.execute("INSERT INTO store VALUES (1, 0, ?)", (probe,))
            db.commit()
        db.close()
        SqliteKeyStore(tmp_path / name, PEPPER).close()
    columns = []
    for name in ("new", "old"):
        db = sqlite3.connect(tmp_path / name)
        columns.append(db.execute("PRAGMA table_info(keys)").fetchall())
        db.close()

    assert columns[0] == columns[1]


def test_a_file_that_is_no_database_is_told(tmp_path):
    path = tmp_path / KEYS_FILE
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(KeyStoreError, match="not a database"):
        SqliteKeyStore(path, PEPPER)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(KeyStoreError, match="cannot use the key store"):
        SqliteKeyStore(tmp_path / "file" / KEYS_FILE, PEPPER)


def test_neither_the_store_nor_a_new_secret_prints_the_secret(store):
    key, secret = store.create("alice", now_s=NOW_S)
    shown = repr((store, key, secret)) + str(secret)

    assert secret.reveal() not in shown
    assert KEYS_FILE in shown


def test_every_change_is_in_the_one_file_at_once_for_a_backup_to_copy(store, tmp_path):
    key, secret = store.create("alice", now_s=NOW_S)
    folder = tmp_path / "backup"
    folder.mkdir()
    copy = folder / KEYS_FILE
    copy.write_bytes((tmp_path / "state" / KEYS_FILE).read_bytes())

    with SqliteKeyStore(copy, PEPPER) as restored:
        assert key == restored.get(secret.reveal())


SECOND_SCHEMA = FIRST_SCHEMA.replace(
    "created_at_s INTEGER NOT NULL\n",
    "created_at_s INTEGER NOT NULL,\n        cache INTEGER NOT NULL DEFAULT 0\n",
).replace("user_version = 1", "user_version = 2")


def test_a_store_of_the_second_version_is_taken_over_and_takes_limits(tmp_path):
    path = tmp_path / KEYS_FILE
    db = sqlite3.connect(path)
    db.executescript(SECOND_SCHEMA)
    db.execute("INSERT INTO store VALUES (1, 9, ?)", (pepper_probe(PEPPER),))
    db.execute(
        "INSERT INTO keys VALUES ('vk_1', 9, 'alice', ?, '_KEY', NULL, '[\"openai\"]', NULL, 0, "
        "NULL, 1, 7, 1)",
        (digest_key(PEPPER, DEMO_SECRET),),
    )
    db.commit()
    db.close()
    with SqliteKeyStore(path, PEPPER) as opened:
        taken_over = opened.get(DEMO_SECRET)
        team = opened.create_group(GroupKind.TEAM, "dev", now_s=NOW_S, limits={"concurrent_max": 1})
        opened.update("alice", team_id=team.group_id)
    with SqliteKeyStore(path, PEPPER) as opened:
        kept = opened.get("alice")
        newest = opened.version()

    assert (taken_over.cache, taken_over.limits, taken_over.fail_closed) == (True, (), False)
    assert taken_over.allowed_providers == frozenset({"openai"})
    assert [each.entity for each in kept.limits] == [team.group_id]
    assert newest == 10
