"""korad, everything on: virtual keys, optimizer at medium, exact bills, its own Redis."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from bench.peers.install import told
from bench.peers.peer import MODEL, Capacity, Launch, Program, Site
from korad import __version__

ROOT = Path(__file__).parents[2]
STATE = "state"
_PROVIDER_KEY = "PEER_PROVIDER_KEY"
_CONFIGURATION = """
[server]
host = "127.0.0.1"
port = {port}
workers = {workers}
access_log = false
[optimizer]
default_level = "medium"
[providers.openai]
base_url = "http://127.0.0.1:{provider_port}/v1"
api_key = "env:{provider_key}"
"""


class Korad:
    """From this source tree."""

    name = "korad"
    job = "looks the key up, optimizes at medium, meters, bills each request into its Redis"
    checks_keys = True
    capacity: Capacity | None = None

    def find(self, builds: Path) -> Program:  # noqa: ARG002 - nothing is installed
        """Return this one."""
        return Program((sys.executable, "-m", "korad"), __version__, "this source tree")

    def launch(self, program: Program, site: Site) -> Launch:
        """Write korad.toml and make a virtual key. Raises MissingPeerError."""
        file = site.folder / "korad.toml"
        file.write_text(render(site), encoding="utf-8")
        places = ("--config", str(file), "--state-dir", str(site.folder / STATE))
        environ = {
            "HOME": str(site.folder),
            "PYTHONPATH": str(ROOT),
            _PROVIDER_KEY: site.provider_key,
        }
        make_key = [*program.command, "keys", "create", "--json", "--name", "bench", *places]
        key: str = orjson.loads(told(make_key, environ=environ))["key"]
        return Launch((*program.command, "serve", *places), environ, key, f"openai/{MODEL}")


def render(site: Site) -> str:
    """Return korad.toml for a site."""
    return _CONFIGURATION.format(
        port=site.port,
        workers=site.workers,
        provider_port=site.provider_port,
        provider_key=_PROVIDER_KEY,
    )
