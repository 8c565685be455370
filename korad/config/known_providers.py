"""The providers korad knows by name: one row each, nothing else to write in a file.

A row `groq` takes its credential from GROQ_API_KEY and another address from GROQ_BASE_URL.
"""

from __future__ import annotations

from korad.domain.upstream import AuthScheme, Dialect
from korad.domain.value import value


@value
class KnownProvider:
    """What korad knows about a provider before anything is configured."""

    name: str
    base_url: str | None
    """None where every customer has an address of their own."""
    dialect: Dialect = Dialect.OPENAI
    auth: AuthScheme = AuthScheme.BEARER
    local: bool = False
    """Runs on the user's own machine: free, without a credential, and only there if named."""
    example_base_url: str = ""


KNOWN_PROVIDERS = (
    KnownProvider(name="openai", base_url="https://api.openai.com/v1"),
    KnownProvider(
        name="anthropic",
        base_url="https://api.anthropic.com",
        dialect=Dialect.ANTHROPIC,
        auth=AuthScheme.X_API_KEY,
    ),
    KnownProvider(name="groq", base_url="https://api.groq.com/openai/v1"),
    KnownProvider(name="mistral", base_url="https://api.mistral.ai/v1"),
    KnownProvider(name="deepseek", base_url="https://api.deepseek.com/v1"),
    KnownProvider(name="together", base_url="https://api.together.xyz/v1"),
    KnownProvider(name="fireworks", base_url="https://api.fireworks.ai/inference/v1"),
    KnownProvider(name="openrouter", base_url="https://openrouter.ai/api/v1"),
    KnownProvider(name="xai", base_url="https://api.x.ai/v1"),
    KnownProvider(
        name="gemini", base_url="https://generativelanguage.googleapis.com/v1beta/openai"
    ),
    KnownProvider(
        name="azure",
        base_url=None,
        auth=AuthScheme.API_KEY,
        example_base_url="https://RESOURCE.openai.azure.com/openai/v1",
    ),
    KnownProvider(
        name="vllm", base_url="http://localhost:8000/v1", auth=AuthScheme.NONE, local=True
    ),
    KnownProvider(
        name="ollama", base_url="http://localhost:11434/v1", auth=AuthScheme.NONE, local=True
    ),
)

KNOWN_BY_NAME = {known.name: known for known in KNOWN_PROVIDERS}


def key_variable(name: str) -> str:
    """Return the environment variable that holds the credential of the row `name`."""
    return f"{_variable_prefix(name)}_API_KEY"


def base_url_variable(name: str) -> str:
    """Return the environment variable that holds the address of the row `name`."""
    return f"{_variable_prefix(name)}_BASE_URL"


def _variable_prefix(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")
