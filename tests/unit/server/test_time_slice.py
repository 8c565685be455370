"""A thread that serves asks for short time slices."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from korad.server import time_slice
from korad.server.time_slice import SLICE_NS, ask_for_short_slices

GET_ATTR = 315


def slice_and_nice():
    held = ctypes.create_string_buffer(time_slice._ATTRIBUTES.size)
    assert 0 == ctypes.CDLL(None).syscall(GET_ATTR, 0, held, len(held), 0)
    _, policy, _, nice, _, slice_ns, *_ = time_slice._ATTRIBUTES.unpack(held.raw)
    return policy, nice, slice_ns


def in_a_thread(*calls):
    """Return what the calls return, in a thread of their own: it keeps what it asks for."""
    with ThreadPoolExecutor(1) as thread:
        return [thread.submit(call).result() for call in calls]


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="asks Linux on x86_64"
)
def test_nothing_but_the_slice_changes():
    before, heard, after = in_a_thread(slice_and_nice, ask_for_short_slices, slice_and_nice)

    assert heard
    assert before[:2] == after[:2]
    assert after[2] in (SLICE_NS, before[2])  # systems before 6.12 have no slices to ask for


def test_a_machine_that_is_not_known_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    assert [False] == in_a_thread(ask_for_short_slices)


@pytest.mark.skipif(sys.platform != "linux", reason="has other schedulers")
def test_a_policy_of_the_operators_choice_stays(monkeypatch):
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_BATCH)

    assert [False] == in_a_thread(ask_for_short_slices)
