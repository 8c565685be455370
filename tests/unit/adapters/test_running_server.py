"""Where a running server listens, and that an ended one is not believed."""

from __future__ import annotations

import os
import stat

from korad.adapters.running_server import LISTENING_FILE, Listening, announced, find_listening


def test_an_address_is_told_as_long_as_its_server_runs(tmp_path):
    before = find_listening(tmp_path)
    with announced(tmp_path, "127.0.0.1", 40123):
        running = find_listening(tmp_path)

    assert before is None
    assert running == Listening(host="127.0.0.1", port=40123)
    assert find_listening(tmp_path) is None
    assert 0o600 == stat.S_IMODE((tmp_path / LISTENING_FILE).stat().st_mode)


def test_a_worker_that_outlives_its_supervisor_holds_it_up(tmp_path):
    reading, writing = os.pipe()
    with announced(tmp_path, "127.0.0.1", 40123):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the parent closes its end
            os._exit(0)
    os.close(reading)
    orphaned = find_listening(tmp_path)
    os.close(writing)
    os.waitpid(child, 0)

    assert orphaned is not None
    assert find_listening(tmp_path) is None


def test_the_first_of_two_servers_is_told(tmp_path):
    with announced(tmp_path, "127.0.0.2", 1), announced(tmp_path, "127.0.0.1", 2):
        found = find_listening(tmp_path)

    assert found.port == 1


def test_a_shorter_address_leaves_nothing_of_a_longer_one(tmp_path):
    with announced(tmp_path, "a-long-name.example.org", 65535):
        pass
    with announced(tmp_path, "::1", 1):
        found = find_listening(tmp_path)

    assert found == Listening(host="::1", port=1)


def test_what_is_being_written_is_not_told(tmp_path):
    with announced(tmp_path, "127.0.0.1", 2):
        os.truncate(tmp_path / LISTENING_FILE, 7)

        assert find_listening(tmp_path) is None


def test_a_folder_that_takes_nothing_ends_no_server(tmp_path, caplog):
    with announced(tmp_path / "gone", "127.0.0.1", 2):
        pass

    assert LISTENING_FILE in caplog.text
