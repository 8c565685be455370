"""Configuration: file, environment and command line in, one frozen `Settings` out.

The only room that reads the environment or the configuration file. `load_settings` tells every
problem at once in one `ConfigError`, and no message of it holds a credential.
"""

from __future__ import annotations

from korad.config.base_url import format_base_url
from korad.config.demo import demo_settings
from korad.config.loader import load_settings
from korad.config.problems import ConfigError
from korad.config.scalars import LEVELS
from korad.config.settings import (
    AdminSettings,
    BillingSettings,
    CacheSettings,
    KeysSettings,
    LedgerSettings,
    LimitsSettings,
    OptimizerSettings,
    RedisSettings,
    ServerSettings,
    Settings,
)
from korad.config.sources import read_environment
from korad.config.web_origin import ANY_ORIGIN

__all__ = [
    "ANY_ORIGIN",
    "LEVELS",
    "AdminSettings",
    "BillingSettings",
    "CacheSettings",
    "ConfigError",
    "KeysSettings",
    "LedgerSettings",
    "LimitsSettings",
    "OptimizerSettings",
    "RedisSettings",
    "ServerSettings",
    "Settings",
    "demo_settings",
    "format_base_url",
    "load_settings",
    "read_environment",
]
