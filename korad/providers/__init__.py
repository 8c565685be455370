"""What the providers speak, behind OpenAI's chat completions.

base        the boundary: what korad must know to speak a dialect
openai      OpenAI's own, passed through
anthropic   Anthropic's Messages, translated
refusal     a provider's error in OpenAI's shape
"""

from __future__ import annotations

from korad.providers.anthropic import IGNORED, REFUSED, AnthropicDialect
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.base import Completion, DialectCodec, StreamDecoder, Target
from korad.providers.openai import OpenAIDialect

__all__ = [
    "IGNORED",
    "REFUSED",
    "AnthropicDialect",
    "CapabilityTable",
    "Completion",
    "DialectCodec",
    "OpenAIDialect",
    "StreamDecoder",
    "Target",
]
