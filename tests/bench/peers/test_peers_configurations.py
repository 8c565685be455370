"""Each peer's configuration does the same job: check a key, swap it, forward to the provider."""

from __future__ import annotations

import tomllib
from pathlib import Path

import orjson
import pytest

from bench.peers import envoy, haproxy, korad, litellm, nginx, versions
from bench.peers.command import PEERS
from bench.peers.peer import MODEL, Program, Site
from bench.peers.portkey import Portkey
from korad.config import load_settings


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, 8101, 9102, "sk-client-key", "sk-provider-key", workers=2)


def test_nginx_checks_one_key_and_sends_the_other(site):
    text = nginx.render(site, as_root=False)

    assert '"Bearer sk-client-key" 1;' in text
    assert 'proxy_set_header Authorization "Bearer sk-provider-key";' in text
    assert "server 127.0.0.1:9102;" in text
    assert "listen 127.0.0.1:8101 " in text
    assert "worker_processes 2;" in text
    assert "access_log off;" in text
    assert "user root;" not in text
    assert "user root;" in nginx.render(site, as_root=True)


def test_everything_nginx_writes_is_in_its_folder(site):
    text = nginx.render(site, as_root=False)

    paths = ("error_log", "pid", "client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path")
    for name in (*paths, "uwsgi_temp_path", "scgi_temp_path"):
        assert f"{name} {site.folder}/" in text


def test_haproxy_checks_one_key_and_sends_the_other(site):
    text = haproxy.render(site)

    assert '-m str "Bearer sk-client-key" }' in text
    assert 'set-header Authorization "Bearer sk-provider-key"' in text
    assert "bind 127.0.0.1:8101 " in text
    assert "server provider 127.0.0.1:9102 " in text
    assert "nbthread 2" in text


def test_envoy_routes_by_key_and_refuses_all_else(site):
    (listener,) = envoy.render(site)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    good, rest = manager["route_config"]["virtual_hosts"][0]["routes"]

    assert good["match"]["headers"][0]["string_match"] == {"exact": "Bearer sk-client-key"}
    assert good["request_headers_to_add"][0]["header"]["value"] == "Bearer sk-provider-key"
    assert rest["direct_response"] == {"status": 401}
    assert "access_log" not in manager


def test_litellm_gets_its_provider_key_by_the_environment(site):
    launch = litellm.LiteLLM().launch(Program(("litellm",), "1", "PyPI"), site)
    text = (site.folder / "config.yaml").read_text()

    assert "master_key: sk-client-key" in text
    assert f"model_name: {MODEL}" in text
    assert "api_base: http://127.0.0.1:9102/v1" in text
    assert "sk-provider-key" not in text
    assert "sk-provider-key" in launch.environ.values()
    assert ("--port", "8101") == launch.command[3:5]
    loggers = orjson.loads((site.folder / "logging.json").read_bytes())["loggers"]
    assert loggers["uvicorn.access"]["level"] == "ERROR"


def test_portkey_gets_the_providers_key_and_address_with_each_request(site):
    launch = Portkey().launch(Program(("node", "server.js"), "1", "npm"), site)

    assert launch.key == "sk-provider-key"
    assert launch.headers["x-portkey-custom-host"] == "http://127.0.0.1:9102/v1"
    assert launch.headers["x-portkey-provider"] == "openai"
    assert "--port=8101" in launch.command
    assert not Portkey().checks_keys


def test_korads_settings_are_those_of_the_comparison(site):
    file = site.folder / "korad.toml"
    file.write_text(korad.render(site))
    environ = {"HOME": str(site.folder), "PEER_PROVIDER_KEY": site.provider_key}

    settings = load_settings(file, environ)

    assert tomllib.loads(korad.render(site))["optimizer"]["default_level"] == "medium"
    assert settings.server.port == 8101
    assert settings.server.workers == 2
    assert not settings.server.access_log


def test_names_are_told_apart_whatever_their_case():
    names = [peer.name.lower() for peer in PEERS]

    assert len(set(names)) == len(names)
    assert {"nginx", "haproxy", "envoy", "litellm", "portkey", "korad"} == set(names)


def test_versions_are_pinned():
    for version in (versions.LITELLM, versions.PORTKEY, versions.ENVOY):
        assert version.count(".") == 2
        assert version.replace(".", "").isdigit()
