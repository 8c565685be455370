"""Opens the key store that the settings name."""

from __future__ import annotations

from collections.abc import Mapping

from korad.adapters.embedded_redis import find_running
from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import KeyStoreError
from korad.adapters.key_store import KEYS_FILE, SqliteKeyStore
from korad.adapters.pepper import describe_pepper, load_pepper_for
from korad.adapters.redis_key_store import GENERATION_FILE, RedisKeyStore
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from korad.config import Settings


def keys_in_redis(settings: Settings) -> bool:
    """Return whether the keys are shared by Redis, not in the state folder."""
    chosen = settings.keys.store
    return chosen == "redis" or (chosen == "auto" and settings.redis.url is not None)


def is_away_from_redis(settings: Settings) -> bool:
    """Return whether this state folder has used keys in Redis, and `settings` find none there.

    Not where `keys.store` says "local": that is meant so.
    """
    if settings.keys.store != "auto" or settings.redis.url is not None:
        return False
    return (settings.state_dir / GENERATION_FILE).exists()


def open_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> VirtualKeys:
    """Open the key store that `settings` name, making it the first time.

    `environ` (None: the process's own) may hold the pepper. Raises KeyStoreError, PepperError.
    """
    if not keys_in_redis(settings):
        return open_local_keys(settings, environ)
    return RedisKeyStore(
        _address(settings),
        load_pepper_for(settings, environ),
        state_dir=settings.state_dir,
        pepper_source=describe_pepper(settings),
    )


def open_local_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> SqliteKeyStore:
    """Open the store in the state folder, whatever `keys.store` says; raises as `open_keys`."""
    return SqliteKeyStore(settings.state_dir / KEYS_FILE, load_pepper_for(settings, environ))


def place_of_keys(settings: Settings) -> str:
    """Return where the keys are, in words."""
    return _address(settings).label if keys_in_redis(settings) else str(settings.state_dir)


def _address(settings: Settings) -> RedisAddress:
    if settings.redis.url is not None:
        try:
            return parse_redis_url(settings.redis.url.reveal())
        except ValueError as error:
            raise KeyStoreError(f"redis.url: {error}") from error
    running = find_running(settings.state_dir)
    if running is None:
        raise KeyStoreError(
            "keys.store is 'redis', but no redis.url is set and korad's own server is not running: "
            "set redis.url, or start `korad serve` first"
        )
    return running
