"""Score passages against a question by the words they share: BM25, and one hop further.

Nothing is learned and nothing is downloaded. The documents are not tokenised either: each word of
the question is looked for in the folded text, which costs a memory scan per word.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import log

from korad.domain.value import Fact
from korad.optimizer.passages.passage import Passage

_STOP = frozenset(
    """a about above according after again against all also am an and another any are around as ask
    at be because been before being below between both but by can cannot could d did do does doing
    done down during each either else ever every few find for found from further get gets get give
    given gives got had has have having he her here hers him his how however i if in include into is
    it its itself just k know known let like ll many may me might more most much must my name named
    near no nor not now of off often on once one only or other our out over own per please re s same
    say says see shall she should show since so some such t take than that the their them then there
    these they this those through to too top under until up upon us use used uses using ve very was
    way we were what when where whether which while who whom whose why will with within without
    would you your answer question query document passage source context following text search
    result results limit based provided relevant information tell explain describe write respond
    response reply called mean means meaning come comes came go goes going went make makes made
    happen happened""".split()  # noqa: SIM905 - a list of 200 strings would be 200 lines
)
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
_SUFFIXES = (  # noqa: SIM905 - a list of 33 strings would be 33 lines
    "ations ation ments ment ities ity ances ance ences ence ists ist ings ing ions ion ably able"
    " est ied ies ers ors ian ous ive ed es er or ly al s e y"
).split()
_PROPER = re.compile(r"(?<!^)\b(?:[A-Z]\w+|\w*\d\w*)")
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

_PROPER_WEIGHT, _CUE_WEIGHT, _HOP_WEIGHT, _SHAPE_WEIGHT = 1.5, 0.35, 0.5, 0.7
_SATURATION, _LENGTH_SHARE = 1.2, 0.5
_LEAST_STEM_CHARS = 4
_LEAST_NAME_CHARS = 3
_MOST_COUNTED = 6
"""Occurrences of a term in a passage beyond this change nothing and are not looked for."""
_MOST_TERMS, _MOST_NAMES, _MOST_NAMED = 48, 16, 3
_SCANNED_CHARS, _LEAST_SCANS, _LEAST_NAMES = 1_000_000, 8, 4
"""How much text is read for terms, and how many are looked for in a text however long it is."""


class Scores(Fact, frozen=True):
    """How near each passage is to the question, and where in the text that shows."""

    passages: tuple[float, ...]
    hits: tuple[tuple[int, str, float], ...]
    """Offset, term and weight of each occurrence."""
    shape: re.Pattern[str] | None
    """How an answer to the question looks."""


def _fold_table() -> bytes:
    table = bytearray(b" " * 256)
    for code in range(len(table)):
        if chr(code).isalnum():
            base = ord(unicodedata.normalize("NFKD", chr(code).lower())[0])
            table[code] = base if base < len(table) else ord(" ")
    return bytes(table)


_FOLDED = _fold_table()
_CUES_OF: dict[str, list[str]] = {}
for _line in _CUES.split("\n"):
    _asked, _said = _line.split("|")
    for _word in _asked.split():
        _CUES_OF.setdefault(_word, []).extend(_said.split())


def fold(text: str) -> str:
    """Return `text` in lower case without accents, a space for every other sign; same length."""
    return text.encode("latin-1", "replace").translate(_FOLDED).decode("latin-1")


def terms_of(question: str) -> dict[str, float]:
    """Return what to look for in folded text, with its weight; {}: nothing worth looking for."""
    proper = {fold(word).strip() for word in _PROPER.findall(question)}
    words = fold(question).split()
    terms: dict[str, float] = {}
    for word in words:
        if word not in _STOP and len(word) > 1:
            term = _term(word)
            terms[term] = max(terms.get(term, 0.0), _PROPER_WEIGHT if word in proper else 1.0)
    return dict(list(terms.items())[:_MOST_TERMS])


def _term(word: str) -> str:
    """Return the beginning of `word` that its other forms share, bounded as a word begins."""
    if word[-1].isdigit() or len(word) < _LEAST_STEM_CHARS:
        return f" {word} "
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _LEAST_STEM_CHARS:
            return f" {word[: -len(suffix)]}"
    return f" {word}"


def score(text: str, passages: Sequence[Passage], question: str, terms: dict[str, float]) -> Scores:
    """Return the scores of `passages` (in order, not overlapping) for a question's `terms`."""
    index = _Index(text, passages)
    scans = max(_LEAST_SCANS, _SCANNED_CHARS // len(text))
    weighty = sorted(terms, key=lambda term: (-terms[term], -len(term), term))[:scans]
    rare = [
        (-terms[term], len(found), term, found)
        for term in weighty
        if 0 < len(found := index.add(term, terms[term])) < _MOST_NAMED
    ]
    words = fold(question).split()
    cues = {f" {cue}" for word in words for cue in _CUES_OF.get(word, ())} - terms.keys()
    cues_looked_for = sorted(cues)[: scans - len(weighty)]
    for cue in cues_looked_for:
        index.add(cue, _CUE_WEIGHT)
    most_names = max(_LEAST_NAMES, scans - len(weighty) - len(cues_looked_for))
    shape = next((look for asked, look in _SHAPES if not asked.isdisjoint(words)), None)
    if shape is not None:
        for number, passage in enumerate(passages):
            if shape.search(text, passage.body, passage.end):
                index.scores[number] += _SHAPE_WEIGHT
    anchors = [number for *_, found in sorted(rare, key=lambda one: one[:3]) for number in found]
    _hop(text, index, anchors, {term.strip() for term in terms}, min(most_names, _MOST_NAMES))
    return Scores(passages=tuple(index.scores), hits=tuple(index.hits), shape=shape)


def _hop(
    text: str, index: _Index, anchors: Iterable[int], known: set[str], most_names: int
) -> None:
    """Look for the names that the best passages bring up: the answer may stand under them.

    The passages that hold the question's rarest words come first: those that repeat its common
    ones may outnumber them.
    """
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
    while words and words[0] in _STOP:
        del words[0]
    joined = " ".join(words)
    if (
        len(joined) < _LEAST_NAME_CHARS
        or joined in known
        or (len(words) == 1 and _term(joined).strip() in known)
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
