"""Tell the questions that ask for a text's exact form; such a text stays as it was written."""

from __future__ import annotations

import re
from operator import itemgetter

EDGE_CHARS = 2_000
"""How much of a question's beginning and of its end is looked at."""
BRIEF_CHARS = 600
"""A longer question has matter pasted into it, or rules: its words count at the edges only."""
BRIEF_EDGE_CHARS = 200

_ENGLISH = r"""
  exact(?:ly)?[ ](?:match\w*|the[ ]same|same|text|wording|form\w*|string|copy|bytes?|characters?)
| str_replace | verbatim | word[ -]for[ -]word
| (?:byte|character)[ -](?:by|for)[ -](?:byte|character)
| bytes? | white[ -]?spaces? | (?<!proper\ )(?<!correct\ )indent(?:s|ed|ing|ations?)? | unindented
| trailing | spacing | zero[ -]width | tabs? | tab[ -]characters? | crlf | new[ -]?lines?
| (?:extra|double|leading|how[ ]many|non-?breaking|hidden)[ ](?:spaces?|blanks?|characters?)
| line[ -](?:endings?|ends?|breaks?|feeds?) | carriage[ ]returns? | lint(?:er|ers|ing|s)? | prettier
| pretty[ -]?print\w* | (?:re)?format(?:ting|ter|ted) | format[ ]of[ ](?:the|this|my|that)
| json[ ]format\w* | decod(?:e|es|ed|ing) | base-?64 | hex[ -]?dump
| (?:html|page|view|raw)[ -]source | source[ ]of[ ](?:the|this)[ ](?:web)?page
| raw[ ](?:html|output|text|bytes) | html[ ]tags? | which[ ]tags? | mark-?up | css
| (?:class|id|data|href|aria)[ -](?:names?|attributes?|selectors?) | attributes? | x-?path
| selectors? | ansi | colou?r(?:s|ed)?[ ](?:codes?|sequences?|escapes?) | what[ ]colou?rs?
| escap(?:e|es|ed|ing)
"""
_GERMAN = r"""
  wortwörtlich | wörtlich | zeichen[ ]für[ ]zeichen | (?:genauer?|exakter?)[ ]wortlaut
| einrück\w* | eingerückt | leerzeichen | leerraum | leerzeilen? | zeilen(?:enden?|umbr\w+)
| tabulator\w* | dekodier\w* | (?:html-)?quelltext | formatierung
"""
_FRENCH = r"""
  mot[ ](?:pour|à)[ ]mot | espaces? | sauts?[ ]de[ ]ligne | fins?[ ]de[ ]ligne | retraits?
| retours?[ ](?:à[ ]la[ ]ligne|chariot) | tabulations? | décod\w+ | octets? | balises?
| mise[ ]en[ ]forme
"""
_SPANISH = r"""
  palabra[ ]por[ ]palabra | literalmente | textualmente | sangrías? | indentación | espacios?
| saltos?[ ]de[ ]línea | (?:fin|final|fines|finales)[ ]de[ ]línea | tabulador(?:es)?
| decodific\w+ | formateo | etiquetas?
"""
# Word for word, indentation, blank, white space, line break, line end, tab, decode, as written,
# byte, layout, format. Chinese puts no blanks between its words.
_CHINESE = "逐字|缩进|空格|空白|换行|行尾|制表符|解码|原文|原样|字节|排版|格式"
# In a file's name the words say nothing.
_FORM = re.compile(
    rf"(?<![\w./-])(?:{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH})(?![\w/(=]|\.\w)|{_CHINESE}",
    re.VERBOSE | re.IGNORECASE,
)
# Of the words of whatever that pattern finds, one at least begins so.
_STEMS = frozenset(
    """
    exact str verba word byte bytes white inden unind trail space spaci width tab tabs tabul crlf
    newli line lines blank chara chari carri lint linte linti lints prett forma forme refor decod
    base hex hexdu sourc raw tag tags mark marku css name names attri selec x xpath ansi color colou
    escap wortw wortl wörtl zeich einrü einge leerz leerr zeile dekod quell mot ligne retra espac
    décod octet balis palab liter textu sangr línea etiqu
    """.split()  # noqa: SIM905 - eighty quoted names are not easier to read
)
_STEM_CHARS = 5
_LETTERS = re.compile(r"[^\W\d_]+")
_TO_BLANKS = {n: " " for n in range(128) if not chr(n).isalpha()}
_stem = itemgetter(slice(_STEM_CHARS))
# Letters that a pattern takes for "s", "i" and "k", and `lower` leaves alone or takes apart.
_ODD = re.compile("[\u017f\u0131\u0130\u212a]")
_HANS = re.compile(_CHINESE)
_EXACT = re.compile(
    r"\b(?:exact(?:ly)? match|verbatim|byte[ -]for[ -]byte|whitespace matters)", re.IGNORECASE
)
_EXACT_WORDS = (
    *("exact match", "exactly match", "verbatim"),
    *("for byte", "for-byte", "whitespace matters"),
)


def cares_for_form(question: str) -> bool:
    """Tell whether `question` asks for the text's exact form: its blanks, its mark-up, its coding.

    The words are those of English, German, French, Spanish and Chinese. In a long text most of
    them stand in pasted matter or general rules ("mind the indentation"): there only the first and
    the last 200 characters count, but asking for an exact match does anywhere in the first and the
    last 2,000.
    """
    if len(question) <= BRIEF_CHARS:
        return _speaks_of_form(question)
    if _speaks_of_form(f"{question[:BRIEF_EDGE_CHARS]}\n{question[-BRIEF_EDGE_CHARS:]}"):
        return True
    edges = f"{question[:EDGE_CHARS]}\n{question[-EDGE_CHARS:]}"
    return _may_be_exact(edges) and _EXACT.search(edges) is not None


def _speaks_of_form(words: str) -> bool:
    # The pattern reads 8 MB/s: nine questions in ten have no word that it would find.
    if words.isascii() or (_ODD.search(words) is None and _HANS.search(words) is None):
        lower = words.lower()
        # Translating is five times as fast as the pattern, but leaves other quotation marks.
        found = lower.translate(_TO_BLANKS).split() if lower.isascii() else _LETTERS.findall(lower)
        if _STEMS.isdisjoint(map(_stem, found)):
            return False
    return _FORM.search(words) is not None


def _may_be_exact(words: str) -> bool:
    lower = words.lower()
    if any(some in lower for some in _EXACT_WORDS):
        return True
    return not words.isascii() and _ODD.search(words) is not None
