"""HAProxy: compares the key, swaps it, relays."""

from __future__ import annotations

from pathlib import Path

from bench.peers.install import required, version_told
from bench.peers.peer import Capacity, Launch, Program, Site

_CONFIGURATION = """
global
  maxconn 9000
  nbthread {workers}
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 75s
  http-reuse always
  option http-no-delay
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  http-request deny deny_status 401 unless {{ req.hdr(authorization) -m str "Bearer {client_key}" }}
  http-request set-header Authorization "Bearer {provider_key}"
  default_backend provider
backend provider
  server provider 127.0.0.1:{provider_port} pool-max-conn -1 maxconn 9000
"""


class Haproxy:
    """From the distribution."""

    name = "HAProxy"
    job = "compares the key, swaps it"
    checks_keys = True
    capacity: Capacity | None = None

    def find(self, builds: Path) -> Program:  # noqa: ARG002 - nothing is installed
        """Look for it on PATH. Raises MissingPeerError."""
        path = required("haproxy", "install the distribution's, such as `apt-get install haproxy`")
        return Program((path,), version_told([path, "-v"]), "distribution")

    def launch(self, program: Program, site: Site) -> Launch:
        """Write haproxy.cfg; -db keeps it in the foreground."""
        file = site.folder / "haproxy.cfg"
        file.write_text(render(site), encoding="utf-8")
        return Launch((*program.command, "-db", "-q", "-f", str(file)), {}, site.client_key)


def render(site: Site) -> str:
    """Return haproxy.cfg for a site."""
    return _CONFIGURATION.format(
        workers=site.workers,
        port=site.port,
        provider_port=site.provider_port,
        client_key=site.client_key,
        provider_key=site.provider_key,
    )
