"""Everything an exchange consults, gathered in one place: keys, routes, prices, codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from korad.admission import CompletionSizes
from korad.auth import KeyRing
from korad.billing.pricebook import PriceBook
from korad.domain.money import Price, format_margin, new_price
from korad.domain.upstream import AuthScheme, Dialect, Provider
from korad.domain.value import value
from korad.errors import invalid_request
from korad.metering import DeltaRates
from korad.optimizer import NO_CACHE_POLICY, CachePolicy, Calibration, Chain, TokenCounter
from korad.providers.base import DialectCodec, Target
from korad.routing import Router
from korad.wire.http1 import header_lines
from korad.wire.known_bodies import KnownBodies

DESTINATIONS_MAX = 4_096
"""Resolved model names kept; clients choose the names, so the memory is bounded."""

OPENAI_HOST = "api.openai.com"
"""Where `prompt_cache_key` is known for certain; others of the dialect may refuse it."""

_FREE = new_price({"input": 0, "output": 0})


@value
class Destination:
    """All that follows from a model name."""

    provider: Provider
    codec: DialectCodec
    target: Target
    vendor: str
    model: str
    """The two sides of the name asked for, which a key's permissions are about."""
    price: Price
    cache_policy: CachePolicy
    """What the destination takes to steer its prompt cache."""
    call_head: bytes
    """The upstream request's head, all lines that are the same for every request."""

    @property
    def upstream_model(self) -> str:
        """The model's name at the provider."""
        return self.target.model


class Rooms:
    """What the steps of an exchange look things up in; owned by the composition root."""

    def __init__(  # noqa: PLR0913 - one argument per room
        self,
        *,
        ring: KeyRing,
        router: Router,
        codecs: Mapping[Dialect, DialectCodec],
        book: PriceBook,
        chain: Chain,
        counter: TokenCounter,
        bodies: KnownBodies,
        cache_minimum: Callable[[str], int],
        default_level: str,
        default_margin_bp: int,
        user_agent: str,
    ) -> None:
        self.ring = ring
        self.chain = chain
        self.counter = counter
        self.bodies = bodies
        self.calibration = Calibration()
        self.deltas = DeltaRates()
        self.completion_sizes = CompletionSizes()
        self._cache_minimum = cache_minimum
        self.default_level = default_level
        self.default_margin_bp = default_margin_bp
        self._router = router
        self._codecs = codecs
        self._book = book
        self._user_agent = user_agent
        self._destinations: dict[str, Destination] = {}
        self._margins: dict[int, bytes] = {}

    @property
    def book(self) -> PriceBook:
        """Return the price book in force."""
        return self._book

    def replace_book(self, book: PriceBook) -> None:
        """Put a new price book in force; exchanges under way keep the price they have."""
        self._book = book
        self._destinations = {}

    def destination(self, name: str) -> Destination:
        """Return where `name` leads. Raises ClientError (invalid_model, unpriced_model)."""
        known = self._destinations.get(name)
        if known is not None:
            return known
        destination = self._resolve(name)
        if len(self._destinations) >= DESTINATIONS_MAX:
            self._destinations = {}
        self._destinations[name] = destination
        return destination

    def margin_text(self, margin_bp: int) -> bytes:
        """Return the `X-Korad-Profit-Margin` value of a margin."""
        text = self._margins.get(margin_bp)
        if text is None:
            text = self._margins[margin_bp] = format_margin(margin_bp).encode()
        return text

    def _resolve(self, name: str) -> Destination:
        route = self._router.resolve(name)
        provider = route.provider
        price = None
        if provider.name != route.vendor:
            # Behind a gateway a configured price is for the name that clients ask for.
            price = self._book.override(route.vendor, route.model)
        if price is None:
            price = self._book.find(provider.name, route.upstream_model)
        if price is None and provider.name != route.vendor:
            price = self._book.find(route.vendor, route.model)
        if price is None and "/" in route.upstream_model:
            # A gateway behind the row: "openai/anthropic/claude-sonnet-4.5".
            vendor, _, model = route.upstream_model.partition("/")
            price = self._book.find(vendor, model)
        if price is None:
            if not provider.free:
                raise invalid_request(
                    f"The model '{name}' has no price. "
                    "Add one under [prices] in the configuration.",
                    code="unpriced_model",
                    param="model",
                )
            price = _FREE
        codec = self._codecs[provider.dialect]
        return Destination(
            provider=provider,
            codec=codec,
            target=Target(provider=provider.name, model=route.upstream_model),
            vendor=route.vendor,
            model=route.model,
            price=price,
            cache_policy=self._cache_policy(provider, route.upstream_model),
            call_head=_call_head(provider, codec, self._user_agent),
        )

    def _cache_policy(self, provider: Provider, model: str) -> CachePolicy:
        """Return what may be told about caching: an unknown field is refused by many."""
        anthropic = provider.dialect is Dialect.ANTHROPIC
        if anthropic or "claude" in model.lower():
            return CachePolicy(
                marks=True, tool_marks=anthropic, minimum_tokens=self._cache_minimum(model.lower())
            )
        if provider.origin.host == OPENAI_HOST:
            return CachePolicy(key=True)
        return NO_CACHE_POLICY


def _call_head(provider: Provider, codec: DialectCodec, user_agent: str) -> bytes:
    origin = provider.origin
    default_port = {"https": 443, "http": 80}[origin.scheme]
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = host if origin.port == default_port else f"{host}:{origin.port}"
    query = f"?{provider.query}" if provider.query else ""
    return (
        f"POST {provider.base_path}{codec.path}{query} HTTP/1.1\r\nHost: {authority}\r\n"
    ).encode() + header_lines(
        (
            *_credential_header(provider),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", user_agent),
            *codec.headers,
            *provider.headers,
        )
    )


def _credential_header(provider: Provider) -> tuple[tuple[str, str], ...]:
    if provider.credential is None or provider.auth is AuthScheme.NONE:
        return ()
    secret = provider.credential.reveal()
    if provider.auth is AuthScheme.BEARER:
        return (("Authorization", f"Bearer {secret}"),)
    return ((provider.auth.value, secret),)
