"""Portkey gateway: a gateway for many providers, in TypeScript on Node.js."""

from __future__ import annotations

from pathlib import Path

import orjson

from bench.peers.install import node_package, required
from bench.peers.peer import Capacity, Launch, MissingPeerError, Program, Site
from bench.peers.versions import PORTKEY, PORTKEY_NEEDS

_PACKAGE = "@portkey-ai/gateway"


class Portkey:
    """In a folder of its own."""

    name = "Portkey"
    job = "routes and translates; the free gateway keeps no keys, so clients send the provider's"
    checks_keys = False
    capacity: Capacity | None = Capacity(
        connections=16,
        requests_per_s=50,
        streams_per_s=10,
        slow_streams=300,
        slow_streams_per_s=50,
    )

    def find(self, builds: Path) -> Program:
        """Install it from npm once. Raises MissingPeerError."""
        node = required("node", "install Node.js 18 or later")
        modules = node_package(builds / "portkey", _PACKAGE, PORTKEY, PORTKEY_NEEDS)
        package = modules / _PACKAGE
        try:
            version = orjson.loads((package / "package.json").read_bytes())["version"]
        except (OSError, orjson.JSONDecodeError, KeyError) as error:
            raise MissingPeerError(f"{package}: {error}") from error
        return Program((node, str(package / "build" / "start-server.js")), version, "npm")

    def launch(self, program: Program, site: Site) -> Launch:
        """Return the start; all its configuration comes with each request."""
        return Launch(
            (*program.command, f"--port={site.port}", "--headless"),
            {
                "HOME": str(site.folder),
                "NODE_ENV": "production",
                "TRUSTED_CUSTOM_HOSTS": "127.0.0.1",
            },
            site.provider_key,
            headers={
                "x-portkey-provider": "openai",
                "x-portkey-custom-host": f"http://127.0.0.1:{site.provider_port}/v1",
            },
        )
