"""`korad simulate` as a process."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

COMMAND = (sys.executable, "-m", "korad", "simulate", "--port")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_answers_and_stops_when_asked(number):
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [*COMMAND, "0", "--demo"], stdout=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline()
        address = re.fullmatch(r"simulator listening on (http://127\.0\.0\.1:\d+)\n", line)[1]
        with urllib.request.urlopen(f"{address}/_simulator/ledger") as answer:  # noqa: S310 - http only
            ledger = answer.read()
        process.send_signal(number)
        code = process.wait(timeout=10)

    assert (b"{}", 0) == (ledger, code)


def test_a_port_that_is_taken_is_said_and_is_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [*COMMAND, port], capture_output=True, text=True, check=False
        )

    assert 1 == done.returncode
    assert done.stderr.startswith("korad simulate: ")
