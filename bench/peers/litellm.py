"""LiteLLM proxy: a gateway for many providers, in Python."""

from __future__ import annotations

from pathlib import Path

import orjson

from bench.peers.install import python_environment, version_told
from bench.peers.peer import MODEL, Capacity, Launch, Program, Site
from bench.peers.versions import LITELLM

_PROVIDER_KEY = "PEER_PROVIDER_KEY"
# What its guide for production says; no database, so that it neither bills nor stores anything.
_CONFIGURATION = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{provider_port}/v1
      api_key: os.environ/{provider_key}
litellm_settings:
  request_timeout: 600
  num_retries: 0
  set_verbose: false
  telemetry: false
general_settings:
  master_key: {client_key}
  disable_spend_logs: true
  disable_error_logs: true
"""
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"uvicorn.access": {"level": "ERROR"}},
}


class LiteLLM:
    """In an environment of its own."""

    name = "LiteLLM"
    job = "checks the key, translates, counts costs; no database, no bill"
    checks_keys = True
    capacity: Capacity | None = Capacity(
        connections=8,
        requests_per_s=10,
        streams_per_s=2,
        slow_streams=100,
        slow_streams_per_s=20,
    )

    def find(self, builds: Path) -> Program:
        """Install it from PyPI once. Raises MissingPeerError."""
        binaries = python_environment(builds / "litellm", f"litellm[proxy]=={LITELLM}")
        code = "import importlib.metadata as m; print(m.version('litellm'))"
        version = version_told([str(binaries / "python"), "-c", code])
        return Program((str(binaries / "litellm"),), version, "PyPI")

    def launch(self, program: Program, site: Site) -> Launch:
        """Write config.yaml and the logging configuration that turns the access log off."""
        file, logging = site.folder / "config.yaml", site.folder / "logging.json"
        file.write_text(render(site), encoding="utf-8")
        logging.write_bytes(orjson.dumps(_LOGGING))
        address = ("--host", "127.0.0.1", "--port", str(site.port))
        files = ("--config", str(file), "--log_config", str(logging))
        options = (*files, "--num_workers", str(site.workers), "--telemetry", "False")
        return Launch(
            (*program.command, *address, *options),
            {
                "HOME": str(site.folder),
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOG": "ERROR",
                # Prices from its package, not from the net.
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                _PROVIDER_KEY: site.provider_key,
            },
            site.client_key,
        )


def render(site: Site) -> str:
    """Return config.yaml for a site."""
    return _CONFIGURATION.format(
        model=MODEL,
        provider_port=site.provider_port,
        provider_key=_PROVIDER_KEY,
        client_key=site.client_key,
    )
