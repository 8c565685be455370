"""The plain settings: their names, and what each may be.

A setting `key` of section `[section]` is `KORAD_SECTION_KEY` in the environment; the few with a
`short` name may be written `KORAD_SHORT` too. Empty variables count as unset.
"""

from __future__ import annotations

from korad.config.kinds import (
    Choice,
    Flag,
    Kind,
    Margin,
    OptionalText,
    Seconds,
    SecretText,
    Text,
    Usd,
    WholeNumber,
)
from korad.config.web_origin import WebOrigin
from korad.domain.value import value

DURABILITIES = ("process", "machine", "strict")
LEVELS = ("off", "low", "medium", "high", "extreme")


@value
class Scalar:
    """One plain setting."""

    section: str
    """TOML table, or "" for the top of the file."""
    key: str
    kind: Kind
    short: str = ""
    """A shorter name for the environment and the command line, in lower case."""
    field: str = ""
    """The record's attribute where it is not `key`."""

    @property
    def name(self) -> str:
        """The dotted name, which overrides use."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set it."""
        names = [self.name.replace(".", "_")]
        if self.short:
            names.append(self.short)
        return tuple(f"KORAD_{name.upper()}" for name in names)

    @property
    def option(self) -> str:
        """The command line option that sets it, where a verb has one."""
        return "--" + (self.short or self.key).replace("_", "-")


_COUNT = WholeNumber(least=1, most=1_000_000)

SCALARS = (
    Scalar(section="", key="state_dir", kind=Text(allowed="a folder")),
    Scalar(section="", key="demo", kind=Flag()),
    Scalar(section="server", key="host", kind=Text(), short="host"),
    Scalar(section="server", key="port", kind=WholeNumber(least=0, most=65_535), short="port"),
    Scalar(section="server", key="workers", kind=WholeNumber(least=1, most=256), short="workers"),
    Scalar(section="server", key="fast_lane", kind=Flag()),
    Scalar(section="server", key="cors_origin", kind=WebOrigin()),
    Scalar(section="server", key="body_bytes_max", kind=WholeNumber(least=1024, most=2**31 - 1)),
    Scalar(section="server", key="head_bytes_max", kind=WholeNumber(least=1024, most=2**20)),
    Scalar(section="server", key="head_timeout_s", kind=Seconds()),
    Scalar(section="server", key="body_idle_timeout_s", kind=Seconds()),
    Scalar(section="server", key="keepalive_timeout_s", kind=Seconds()),
    Scalar(section="server", key="write_stall_timeout_s", kind=Seconds()),
    Scalar(section="server", key="drain_timeout_s", kind=Seconds(zero_allowed=True)),
    Scalar(section="server", key="connections_max", kind=_COUNT),
    Scalar(section="server", key="inflight_max", kind=_COUNT),
    Scalar(section="server", key="access_log", kind=Flag()),
    Scalar(section="server", key="metrics", kind=Flag()),
    Scalar(section="billing", key="margin", kind=Margin(), short="margin", field="margin_bp"),
    Scalar(section="billing", key="durability", kind=Choice(words=DURABILITIES)),
    Scalar(section="billing", key="segment_bytes", kind=WholeNumber(least=65_536, most=2**30)),
    Scalar(section="billing", key="journal_keep_s", kind=Seconds(zero_allowed=True)),
    Scalar(
        section="optimizer", key="default_level", kind=Choice(words=LEVELS), short="savings_level"
    ),
    Scalar(section="cache", key="ttl_s", kind=Seconds()),
    Scalar(section="cache", key="bytes_max", kind=WholeNumber(least=0, most=2**40)),
    Scalar(section="cache", key="entry_bytes_max", kind=WholeNumber(least=0, most=2**20)),
    Scalar(section="cache", key="store", kind=Choice(words=("memory", "redis"))),
    Scalar(section="cache", key="url", kind=SecretText(allowed="a Redis URL")),
    Scalar(section="cache", key="redis_bytes_max", kind=WholeNumber(least=0, most=2**40)),
    Scalar(section="cache", key="deadline_ms", kind=WholeNumber(least=1, most=10_000)),
    Scalar(section="redis", key="url", kind=SecretText(allowed="a Redis URL")),
    Scalar(section="redis", key="shards", kind=WholeNumber(least=1, most=256)),
    Scalar(section="limits", key="deadline_ms", kind=WholeNumber(least=1, most=10_000)),
    Scalar(section="limits", key="exposure_usd", kind=Usd(), field="exposure_nano_usd"),
    Scalar(section="limits", key="slice_tokens", kind=WholeNumber(least=16, most=1_000_000)),
    Scalar(section="keys", key="store", kind=Choice(words=("auto", "local", "redis"))),
    Scalar(section="keys", key="pepper", kind=OptionalText(allowed='"env:NAME" or "file:PATH"')),
    Scalar(section="ledger", key="url", kind=SecretText(allowed="a database URL")),
    Scalar(section="ledger", key="run", kind=Choice(words=("auto", "on", "off"))),
    Scalar(section="ledger", key="stream_keep_s", kind=Seconds(zero_allowed=True)),
    Scalar(section="admin", key="listen", kind=OptionalText(allowed='"HOST:PORT" or "unix:PATH"')),
    Scalar(section="admin", key="token", kind=OptionalText(allowed='"env:NAME" or "file:PATH"')),
)
"""Every plain setting, in the order of the sample file."""
