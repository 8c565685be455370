"""Score passages against a question by the words they share: BM25, and one hop further.

Nothing is learned and nothing is downloaded. The documents are not tokenised either: each word of
the question is looked for in the folded text, which costs a memory scan per word.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import log

from korad.domain.value import Fact
from korad.optimizer.passages.kin import kin_of
from korad.optimizer.passages.passage import Passage
from korad.optimizer.passages.terms import STOP, fold, term_of

_CUES = """sing sings sang sung singer singing|song sing sung vocal singer band album record
come came release released coming|releas premier air debut
air aired start started begin began premiere|premier began start open episode
play plays played actor actress|portray star role cast actor actress
wrote written write writer author|author writ poem book novel compos
located location where|locat city county town region
movie movies|film
film films|movie
big biggest large largest|large larg big
far farthest furthest|furthest farthest distan
die dies died death killed|death die kill murder
make made makes build builds built|construct manufactur produc creat built
invent invented inventor discovered|invent develop patent introduc creat discover
pay pays paid money|fund financ tax
win wins won winner winning|winner champion victor won defeat
supervise supervises supervisor boss manages|report manag head led superv
lead leads led leader|head president chief
live lives lived home|resid home
own owns owned owner|own acquir
country countries|nation
job work works worked|employ
car cars|vehicl automobil
law laws|act legislat
cause causes caused why|due result reason
founded founder|establish creat found
child children kid kids son daughter|child son daughter born
marry married wife husband|marri wife husband spous
fail fails failed failure|error fault broke
price prices cost costs|price cost fee charg
begin begins began|began start launch found
end ends ended|end finish conclud final clos
happen happens happened|occur took place event
name named called|name call titl known nicknam
mean means meaning|mean refer defin deriv sens
get gets got receive received|receiv award obtain given
use used uses|us appl util serv
tall high height|tall high height elevat feet metr
long length|long length mil kilomet
language speak speaks spoken|languag speak spok dialect
population|popul inhabit resid people
first earliest|first earl origin debut
last latest|last final latest recent
buy buys bought|acquir purchas bought sold
sell sells sold|sold sell sale distribut
grow grows grew growth|grow grew increas expand
sick ill illness disease|diseas sympt syndrom infect
doctor|physician surgeon medic
school college university|school colleg univers educat academ
team|club team squad
king queen ruler|king queen monarch reign emperor rul
fight fought war battle|war battl fought conflict
show shows series|seri show episod season televis
book books novel|book novel publish
test tests tested|test exam trial check
change changed|chang replac alter amend"""
"""How answers say what questions ask: word of a question, beginnings of words of its answers."""
_NAME = re.compile(r"(?:[A-Z][\w'’-]+|\d[\w-]{2,})(?: (?:of the |of |the |de )?[A-Z][\w'’-]+)*")  # noqa: RUF001 - texts hold typographic apostrophes
_SHAPES = (
    (frozenset({"when", "year", "date"}), re.compile(r"[12]\d\d\d(?!\d)")),
    (
        frozenset({"many", "much", "long", "old"}),
        re.compile(r"\d| (?:two|three|four|five|six|seven|eight|nine|ten|twelve)\b"),
    ),
    (frozenset({"who", "whose", "whom"}), re.compile(r" (?<=[a-z,] )[A-Z]\w+ [A-Z]")),
)
"""What an answer must hold: words of the question, look of the answer."""

_CUE_WEIGHT, _KIN_WEIGHT, _HOP_WEIGHT, _SHAPE_WEIGHT = 0.35, 0.9, 0.5, 0.7
_SATURATION, _LENGTH_SHARE = 1.2, 0.5
_LEAST_NAME_CHARS = 3
_MOST_COUNTED = 6
"""Occurrences of a term in a passage beyond this change nothing and are not looked for."""
_MOST_NAMES, _MOST_NAMED = 16, 3
_SCANNED_CHARS, _LEAST_SCANS, _LEAST_NAMES = 2_000_000, 8, 4
"""How much text is read for terms, and how many are looked for in a text however long it is."""


class Scores(Fact, frozen=True):
    """How near each passage is to the question, and where in the text that shows."""

    passages: tuple[float, ...]
    hits: tuple[tuple[int, str, float], ...]
    """Offset, term and weight of each occurrence."""
    shape: re.Pattern[str] | None
    """How an answer to the question looks."""
    is_shared: bool
    """Whether a passage has a word of the question, or looks as its answer must.

    Else only words that may stand for the question's speak for a passage."""


_CUES_OF: dict[str, list[str]] = {}
for _line in _CUES.split("\n"):
    _asked, _said = _line.split("|")
    for _word in _asked.split():
        _CUES_OF.setdefault(_word, []).extend(_said.split())


def score(text: str, passages: Sequence[Passage], question: str, terms: dict[str, float]) -> Scores:
    """Return the scores of `passages` (in order, not overlapping) for a question's `terms`."""
    index = _Index(text, passages)
    scans = max(_LEAST_SCANS, _SCANNED_CHARS // len(text))
    weighty = sorted(terms, key=lambda term: (-terms[term], -len(term), term))[:scans]
    holders = {term: index.add(term, terms[term]) for term in weighty}
    rest = scans - len(weighty)
    words = fold(question).split()
    cues = {f" {cue}" for word in words for cue in _CUES_OF.get(word, ())} - terms.keys()
    rest -= index.add_all(sorted(cues)[: rest // 2], _CUE_WEIGHT)
    shape = next((look for asked, look in _SHAPES if not asked.isdisjoint(words)), None)
    if shape is not None:
        for number, passage in enumerate(passages):
            if shape.search(text, passage.body, passage.end):
                index.scores[number] += _SHAPE_WEIGHT
    is_shared = any(index.scores)
    # What no passage says in the question's words is said in others.
    kin = {one for term, found in holders.items() if not found for one in kin_of(term)}
    rest -= index.add_all(sorted(kin - terms.keys())[: rest // 2], _KIN_WEIGHT)
    _hop(text, index, _rare(holders, terms), terms, max(_LEAST_NAMES, min(rest, _MOST_NAMES)))
    return Scores(
        passages=tuple(index.scores), hits=tuple(index.hits), shape=shape, is_shared=is_shared
    )


def _rare(holders: dict[str, dict[int, int]], terms: dict[str, float]) -> list[int]:
    """Return the passages that hold the terms that few do, those of the weightiest first."""
    rare = [
        (-terms[term], len(found), term)
        for term, found in holders.items()
        if 0 < len(found) < _MOST_NAMED
    ]
    return [number for *_, term in sorted(rare) for number in holders[term]]


def _hop(
    text: str, index: _Index, anchors: Iterable[int], terms: Iterable[str], most_names: int
) -> None:
    """Look for the names that the best passages bring up: the answer may stand under them.

    The passages that hold the question's rarest words come first: those that repeat its common
    ones may outnumber them.
    """
    known = {term.strip() for term in terms}
    scores = list(index.scores)
    best = max(scores) or 1.0
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    near = dict.fromkeys(anchors, 1.0)
    sources = dict(list(near.items())[:3])
    for number in order[:2]:
        sources.setdefault(number, scores[number] / best)
    names: dict[str, tuple[int, float]] = {}
    for number, weight in sources.items():
        passage = index.passages[number]
        for match in _NAME.finditer(text, passage.start, min(passage.end, passage.start + 4000)):
            if len(names) >= most_names:
                break
            name = _name_term(match[0], known)
            if name:
                names.setdefault(name, (number, weight))
    for name, (number, weight) in names.items():
        index.add(name, _HOP_WEIGHT * weight, source=number)


def _name_term(name: str, known: set[str]) -> str:
    words = fold(name).split()
    while words and words[0] in STOP:
        del words[0]
    joined = " ".join(words)
    if (
        len(joined) < _LEAST_NAME_CHARS
        or joined in known
        or (len(words) == 1 and term_of(joined).strip() in known)
    ):
        return ""
    return f" {joined} "


class _Index:
    """The folded text, and the passages' scores as terms are added."""

    def __init__(self, text: str, passages: Sequence[Passage]) -> None:
        # A space before and after, so that the first and the last word are bounded too.
        self.folded = f" {fold(text)} "
        self.passages = passages
        self.starts = [passage.start for passage in passages]
        self.scores = [0.0] * len(passages)
        self.hits: list[tuple[int, str, float]] = []
        lengths = [passage.end - passage.start for passage in passages]
        mean = sum(lengths) / len(lengths) or 1.0
        self.damping = [
            _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * length / mean) for length in lengths
        ]

    def add(self, term: str, weight: float, source: int | None = None) -> dict[int, int]:
        """Add `term` to the scores; return how often each passage holds it.

        A term from the passage `source` counts only elsewhere, and only while it is rare.
        """
        most = len(self.passages) if source is None else _MOST_NAMED
        offsets, counts = self._find(term, most)
        if not counts or len(counts) > most:
            return counts
        number_of = len(self.passages)
        worth = weight * log(1 + (number_of - len(counts) + 0.5) / (len(counts) + 0.5))
        for number, count in counts.items():
            if number == source:
                continue
            passage = self.passages[number]
            titled = self.folded.find(term, passage.start, passage.body + 1) >= 0
            frequency = count + titled
            self.scores[number] += (
                worth * frequency * (_SATURATION + 1) / (frequency + self.damping[number])
            )
        self.hits += [(offset, term, worth) for offset, number in offsets if number != source]
        return counts

    def add_all(self, terms: Sequence[str], weight: float) -> int:
        """Add further terms of one weight; return how many there were."""
        for term in terms:
            self.add(term, weight)
        return len(terms)

    def _find(self, term: str, most: int) -> tuple[list[tuple[int, int]], dict[int, int]]:
        """Return the (offset, passage) of each counted occurrence, and the counts.

        Stops where more than `most` passages hold the term.
        """
        find, starts = self.folded.find, self.starts
        offsets: list[tuple[int, int]] = []
        counts: dict[int, int] = {}
        offset = find(term)
        while offset >= 0 and len(counts) <= most:
            number = bisect_right(starts, offset) - 1
            following = offset + 1
            if number >= 0 and offset < self.passages[number].end:
                offsets.append((offset, number))
                count = counts[number] = counts.get(number, 0) + 1
                if count >= _MOST_COUNTED:
                    following = self.passages[number].end
            else:
                following = self._next_start(number + 1)
            offset = find(term, following)
        return offsets, counts

    def _next_start(self, number: int) -> int:
        return self.starts[number] if number < len(self.starts) else len(self.folded)
