"""The official npm package `openai` against korad: runs the test files of Node's own runner."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from .conftest import Proxy

FOLDER = Path(__file__).parent / "node"
FILES = sorted(FOLDER.glob("*.test.mjs"))

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (FOLDER / "node_modules" / "openai").is_dir(),
        reason="the npm package openai is not installed: npm ci --prefix tests/sdk/node",
    ),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
async def test_the_tests_of_the_javascript_sdk_pass(proxy: Proxy, file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "env",
        f"KORAD_BASE_URL={proxy.base_url}",
        f"KORAD_KEY={proxy.key}",
        f"SIMULATOR_URL={proxy.simulator.anthropic_base_url}",
        *("node", "--test", "--test-reporter=tap", file.name),
        cwd=FOLDER,
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    report = output.decode()

    assert process.returncode == 0, report
    assert "# fail 0" in report
    assert "# pass 0" not in report
