"""nginx: compares the key, swaps it, relays. The limit that everything is measured against."""

from __future__ import annotations

import os
from pathlib import Path

from bench.peers.install import required, version_told
from bench.peers.peer import Capacity, Launch, Program, Site

# A folder of its own for everything nginx writes; as root its workers must be able to read it.
# Streams must not be buffered, and an upstream connection lives as long as the run.
_CONFIGURATION = """
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile 20000;
error_log {folder}/error.log error;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  server_tokens off;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_max_body_size 32m;
  client_body_buffer_size 512k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map_hash_bucket_size 512;
  map $http_authorization $known {{
    default 0;
    "Bearer {client_key}" 1;
  }}
  upstream provider {{
    server 127.0.0.1:{provider_port};
    keepalive 8192;
    keepalive_requests 1000000000;
    keepalive_time 24h;
  }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    location / {{
      if ($known = 0) {{ return 401; }}
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {provider_key}";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


class Nginx:
    """From the distribution."""

    name = "nginx"
    job = "compares the key, swaps it"
    checks_keys = True
    capacity: Capacity | None = None

    def find(self, builds: Path) -> Program:  # noqa: ARG002 - nothing is installed
        """Look for it on PATH. Raises MissingPeerError."""
        path = required("nginx", "install the distribution's, such as `apt-get install nginx`")
        return Program((path,), version_told([path, "-v"]), "distribution")

    def launch(self, program: Program, site: Site) -> Launch:
        """Write nginx.conf."""
        file = site.folder / "nginx.conf"
        file.write_text(render(site, as_root=os.geteuid() == 0), encoding="utf-8")
        errors = str(site.folder / "error.log")
        return Launch((*program.command, "-e", errors, "-c", str(file)), {}, site.client_key)


def render(site: Site, *, as_root: bool) -> str:
    """Return nginx.conf for a site."""
    return _CONFIGURATION.format(
        user="user root;" if as_root else "",
        workers=site.workers,
        folder=site.folder,
        port=site.port,
        provider_port=site.provider_port,
        client_key=site.client_key,
        provider_key=site.provider_key,
    )
