"""The health check of the image, as Docker would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import orjson

from korad.adapters.running_server import announced

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
STATE_DIR = "KORAD_STATE_DIR"


class Livez(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def a_server():
    """Serve on a port of its own choice; yields it."""
    with HTTPServer(("127.0.0.1", 0), Livez) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def health(state_dir):
    """Run the check of the Dockerfile and return its exit code."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^HEALTHCHECK .*? CMD (\[.*\])$", text, re.MULTILINE)
    program, *words = orjson.loads(command)
    assert program == "python"
    environ = {STATE_DIR: str(state_dir), "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, *words], env=environ, capture_output=True, check=False, timeout=60
    )
    return done.returncode


def test_the_health_check_asks_the_port_that_the_server_told(tmp_path):
    with a_server() as port, announced(tmp_path, "0.0.0.0", port):  # noqa: S104 - told, not bound
        running = health(tmp_path)

    assert (running, health(tmp_path)) == (0, 1)


def test_a_server_that_has_not_told_its_port_is_not_healthy(tmp_path):
    assert health(tmp_path) == 1
