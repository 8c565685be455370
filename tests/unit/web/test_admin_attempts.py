"""Wrong tokens are counted per client, in a table that does not grow."""

from __future__ import annotations

from korad.web.admin.attempts import Attempts

SECOND_NS = 10**9


def test_one_client_uses_up_no_other_ones_attempts():
    attempts = Attempts(wrong_max=3)
    seen = [attempts.is_too_many("10.0.0.1", 0) for _ in range(4)]

    assert seen == [False, False, False, True]
    assert not attempts.is_too_many("10.0.0.2", 0)
    assert not attempts.is_too_many(None, 0)


def test_a_minute_after_the_first_there_is_another_attempt():
    attempts = Attempts(wrong_max=2)
    for now_s in (0, 30):
        attempts.is_too_many("10.0.0.1", now_s * SECOND_NS)
    late = [attempts.is_too_many("10.0.0.1", now_s * SECOND_NS) for now_s in (59, 60, 61)]

    assert late == [True, False, True]


def test_the_table_is_bounded_and_forgets_the_quietest():
    attempts = Attempts(wrong_max=1, addresses_max=100)
    for number in range(100):
        attempts.is_too_many(f"10.0.0.{number}", number)
    attempts.is_too_many("10.0.1.1", 101)

    assert len(attempts) == 100
    assert attempts.is_too_many("10.0.0.99", 102)
    assert not attempts.is_too_many("10.0.0.0", 103)


def test_a_network_of_ipv6_is_one_client():
    attempts = Attempts(wrong_max=2)
    wrong = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::9", "2001:db8:0:2::1", "::ffff:10.0.0.1"]
    for remote in wrong:
        assert not attempts.is_too_many(remote, 0)

    assert attempts.is_too_many("2001:db8:0:1::77", 0)
    assert not attempts.is_too_many("10.0.0.1", 0)
    assert attempts.is_too_many("::ffff:10.0.0.1", 0)
