"""Made-up log probabilities, for whoever asks for them: the tokens are those of the answer."""

from __future__ import annotations

from typing import Any

from korad.simulator.words import VOCABULARY, split_tokens

SAID = -0.125
"""Of every token that was said."""
UNSAID = -4.0
"""Of the likeliest that was not; each further one is half as likely."""
_HALF = 0.6931


def logprobs_of(text: str, alternatives: int | None) -> dict[str, Any] | None:
    """Return `logprobs` of a choice or a chunk; every token has so many `top_logprobs`.

    None is what a provider says where it was not asked (`alternatives` is None), or of no text.
    """
    if alternatives is None or not text:
        return None
    tokens = split_tokens(text)
    return {"content": [_token(token, alternatives) for token in tokens], "refusal": None}


def _token(token: str, alternatives: int) -> dict[str, Any]:
    said = _probable(token, SAID)
    unsaid = [
        _probable(word, UNSAID - _HALF * rank)
        for rank, word in enumerate(VOCABULARY[: max(0, alternatives - 1)])
    ]
    return said | {"top_logprobs": [said, *unsaid][:alternatives]}


def _probable(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
