"""A door opens onto what it says."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import korad

DOORS = [
    found.name
    for found in pkgutil.walk_packages(korad.__path__, "korad.")
    if found.ispkg and hasattr(import_module(found.name), "__all__")
]


@pytest.mark.parametrize("door", DOORS)
def test_every_exported_name_exists_once_and_in_order(door):
    module = import_module(door)

    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_there_are_doors():
    assert {"korad.optimizer", "korad.providers", "korad.upstream"} <= set(DOORS)
