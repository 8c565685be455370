"""Web pages: an article among navigation, scripts and styles."""

from __future__ import annotations

from random import Random

from bench.optimizer.conversation import Conversation, Facts
from bench.optimizer.sample_words import (
    call,
    digest,
    name,
    paragraph,
    sentence,
    single,
    system,
    user,
)


def article(random: Random) -> Conversation:
    """Return a page as a tool fetches it; the article's words must be kept."""
    title = sentence(random, 6)
    paragraphs = [paragraph(random, random.randrange(2, 6)) for _ in range(random.randrange(5, 14))]
    links = "".join(
        f'<li class="nav__item nav__item--{digest(random, 4)}"><a href="/{name(random).lower()}" '
        f'data-track="nav-{digest(random, 8)}">{name(random)}</a></li>'
        for _ in range(random.randrange(15, 60))
    )
    styles = "".join(
        f".c-{digest(random, 6)}{{margin:0 auto;padding:{random.randrange(40)}px;"
        f"color:#{digest(random, 6)}}}"
        for _ in range(random.randrange(40, 160))
    )
    body = "".join(
        f'<p class="story__text story__text--{digest(random, 4)}" style="margin-top:1em">{text}</p>'
        for text in paragraphs
    )
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{styles}</style><script>window.__state={{'id':'{digest(random, 40)}'}};</script>"
        f'</head><body><nav class="nav"><ul>{links}</ul></nav><main><article class="story">'
        f"<h1>{title}</h1>{body}</article></main>"
        f'<script src="/static/{digest(random)}.js" async></script></body></html>'
    )
    messages = [
        system("You summarise pages."),
        user("Summarise the article."),
        *call(random, "fetch", '{"url": "https://example.com/story"}', page),
    ]
    return single("html/article", messages, Facts(words=f"{title} {' '.join(paragraphs)}"))


KINDS = {"html/article": article}
