"""Where links lead: which targets tell something, and how the page's own site is said once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from korad.optimizer.html.marks import (
    AGAIN,
    BULLET,
    END,
    PARAGRAPH,
    TAIL,
    TARGET,
    fill,
    words_of,
)

_NOWHERE: Final = re.compile(r"#|javascript:|/cdn-cgi/l/email-protection", re.IGNORECASE)
_SHARE: Final = re.compile(
    r"(?:https?:)?//[^/]*(?:facebook\.com/(?:share|dialog)|(?:twitter|x)\.com/(?:intent|share)"
    r"|linkedin\.com/share|pinterest\.[a-z.]+/pin/create|plus\.google\.com/share|reddit\.com/submit"
    r"|whatsapp\.com/send|t\.me/share|vk\.com/share|tumblr\.com/(?:widgets/)?share|ok\.ru/dk"
    r"|getpocket\.com/(?:edit|save)|addtoany\.com|flipboard\.com/share|share\.)"
    r"|(?:whatsapp|fb-messenger)://|(?:mailto|sms):(?:\?|$)",
    re.IGNORECASE,
)
_TRACKER: Final = re.compile(
    r"about:|(?:https?:)?//[^/]*(?:googletagmanager|doubleclick|google-analytics|quantserve"
    r"|facebook\.com/tr)"
)
_CAMPAIGN: Final = re.compile(
    r"(?<=[?&])(?:utm_\w+|(?:pk|mtm|hsa)_\w+|fbclid|gclid|dclid|msclkid|yclid|igshid"
    r"|mc_[ce]id|ref_src|ref_url|gbraid|wbraid|ttclid|twclid|li_fat_id|mkt_tok|_hs(?:enc|mi)|srsltid"
    r"|_g[al])=[^&#]*&?",
    re.IGNORECASE,
)
_AFFILIATE: Final = re.compile(
    r"(?<=[?&])(?:tag|psc|camp|link_?code|creative(?:asin)?|subscriptionid|ascsubtag|imprtoken|slotnum"
    r"|pd_rd_\w+|pf_rd_\w+)=[^&#]*&?",
    re.IGNORECASE,
)
_SHOP: Final = re.compile(r"https?://(?:www\.)?amazon\.", re.IGNORECASE)
_DANGLING: Final = re.compile(r"[?&](?=#|$)")
_PICTURE: Final = re.compile(r"[^?#]*\.(?:jpe?g|png|gif|webp|avif|svg)(?:[?#]|$)", re.IGNORECASE)
_LONGEST_SIGN_CHARS: Final = 16
_SHOWN: Final = re.compile(r"!\[[^\]]*+\]")
_SITE: Final = re.compile(r"https?://[^/?#\s]+(?=/)")
_FEWEST_LINKS: Final = 3
_FEWEST_LINKS_ELSEWHERE: Final = 5
"""Fewer do not pay for the line that names the site."""
_HEADING: Final = PARAGRAPH + BULLET + "#"
_HEADING_END: Final = END + PARAGRAPH
_MOST_LINK_PIECES: Final = 64
"""A link that nobody closed may hold the rest of the page."""


def leads_elsewhere(target: str) -> bool:
    """Tell whether a link has a target of its own.

    One into the page, to a script or to a ciphered address has none; one that hands this page's
    address and title to another site neither.
    """
    if target[:1] == "/" and target[1:2] not in ("/", "c"):
        return True  # most
    return bool(target) and not _NOWHERE.match(target) and not _SHARE.match(target)


def is_tracker(target: str) -> bool:
    """Tell whether a frame shows nothing and counts visits."""
    return _TRACKER.match(target) is not None


def is_picture(target: str) -> bool:
    """Tell whether a link only shows a picture by itself."""
    return _PICTURE.match(target) is not None


def without_campaign(target: str) -> str:
    """Return a target without the parameters that say from which advertisement a visit comes."""
    shorter = _CAMPAIGN.sub("", target)
    if _SHOP.match(shorter):
        shorter = _AFFILIATE.sub("", shorter)
    return target if shorter == target else _DANGLING.sub("", shorter, count=1)


def words_of_link(out: list[str], start: int, kept: list[str]) -> str:
    """Return the words of the link whose content begins at `start`.

    A picture in it that says them again is taken out of `out`.
    """
    text = "".join(out[start:])
    words = words_of(fill(text, kept) if kept else text)
    if "![" not in words or len(out) - start > _MOST_LINK_PIECES:
        return words
    said = _SHOWN.sub("", words)
    for at in range(start, len(out)):
        alt = out[at][2:-1] if out[at].startswith("![") else ""
        # Five stars are five pictures.
        if alt and (alt in said or (len(alt) > _LONGEST_SIGN_CHARS and words.count(alt) > 1)):
            words = words.replace(out[at], "", 1).strip()
            out[at] = ""
    return words


def ending(target: str, words: str, title: str) -> str:
    """Return what stands after the words of a link.

    Most titles say the text again or advertise; the rest of a text cut short is a fact.
    """
    if title and words.endswith(("...", "\u2026")) and (title := words_of(title)) != words:
        return f'{TAIL}]({TARGET}{target} "{title}")'
    return f"{TAIL}]({TARGET}{target})"


def place_after_heading(out: list[str], start: int, target: str) -> bool:
    """Write the target behind the heading that the link from `start` on holds; False: it has none.

    A link around a heading and more is a whole entry of a list, and its heading names it.
    """
    at = start if " " not in target else len(out)
    while at < len(out) and not out[at].startswith(_HEADING):
        at += 1
    end = at + 1
    while end < len(out) and out[end] != _HEADING_END:
        end += 1
    if end >= len(out) or not words_of("".join(out[at + 1 : end])):
        return False
    out[start - 1] = ""
    out.insert(end, f"{TAIL} {TARGET}{target}")
    return True


def mark_again(out: list[str], start: int) -> None:
    """Mark the words from `start` on as a link given before: those of a heading, not its breaks."""
    heading = out[start].startswith(_HEADING)
    out.insert(start + heading, AGAIN)
    out.insert(len(out) - (heading and out[-1] == _HEADING_END), AGAIN)


def say_site_once(text: str, canonical: str) -> tuple[str, str]:
    """Write the targets on the page's own site without it; also return the line that names it.

    The targets are those after a `TARGET` mark, which is taken away.
    """
    found = Counter(site.group() for part in text.split(TARGET)[1:] if (site := _SITE.match(part)))
    own = _SITE.match(canonical)
    here = own.group() if own else ""
    home = here
    if found[home] < _FEWEST_LINKS and found:
        home = found.most_common(1)[0][0]
    said = ""
    if found[home] >= (_FEWEST_LINKS if home == here else _FEWEST_LINKS_ELSEWHERE):
        known = home == here
        # What begins with a slash already is on the site the page came from, whichever that is.
        mark = "~" if not known and TARGET + "/" in text.replace(TARGET + "//", "") else ""
        said = "" if known else f"Links that begin with {mark}/ are on {home}"
        text = text.replace(f"{TARGET}{home}/", f"{mark}/")
    return text.replace(TARGET, ""), said
