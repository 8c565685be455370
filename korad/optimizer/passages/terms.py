"""What of a question is worth looking for: its words without the common ones, as word beginnings.

Words are compared folded: in lower case, without accents and signs, and without their endings.
"""

from __future__ import annotations

import re
import unicodedata

STOP = frozenset(
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
_STOP_ELSEWHERE = frozenset(
    """aber ai al algo algun alguna algunas alguno algunos alle allem allen aller alles alors als
    also am an ander andere anderen ante antes aquel aquella as asi au auch aucun aucune auf
    aun aunque aus aussi autre autres aux avec avoir bajo bei beim bien bin bis bist cada casi
    ce cela celle celles celui ces cet cette ceux chaque chez combien comme comment como con
    contra cual cuales cuando cuanta cuantas cuanto cuantos cuya cuyo da dabei dafur damit
    dann dans daran darauf darf darum das dass davon dazu de dein deine del dem den denen
    depuis der deren des desde dessen dich die dies diese diesem diesen dieser dieses dir doch
    donde dont dort dos du durante durch ein eine einem einen einer eines el ella ellas elle
    elles ellos en encore entre er era eran es esa esas ese eso esos est esta estaba estan
    estar estas este esto estos et etaient etait etc ete etes etre etwas eu euch euer eure
    faire fait faut font fue fueron fur gegen gibt ha habe haben haber habia han hasta hat
    hatte hatten hay hecho hier hin hinter ich ici ihm ihn ihnen ihr ihre ihrem ihren ihrer il
    ils im in ist ja je jede jedem jeden jeder jedes jetzt jusqu kann kannst kein keine keinen
    konnen konnte la las le les leur leurs lo lors lorsque los lui ma mais man mas me mehr
    mein meine meinem meinen meiner meme mes mi mich mientras mir mis mismo mit moi mon mucha
    muchas mucho muchos muss mussen muy nach nada ne ni nicht nichts no noch nos nosotros
    notre nous nuestra nuestro nun nur o ob oder ohne on ont os otra otras otro otros ou par
    para parce pas pero peu peut peuvent plus poco por porque pour pourquoi puede pueden puedo
    pues puis quand que quel quelle quelles quels qui quien quienes quoi sa sans se sea segun
    sehr sein seine seinem seinen seiner ser sera ses si sich sie sin sind so sobre soll
    sollen sollte son sondern sonst sont sous soy su sur sus ta tambien tan tanto te tener
    tengo tes ti tiene tienen toda todas todo todos toi ton tous tout toute toutes tres tu tus
    uber um un una unas und une uno unos uns unser unsere unter usted ustedes va vers viel
    viele vom von vor vos votre vous wann warum was weil welche welchem welchen welcher
    welches wem wen wenn wer werde werden wessen wie wieder wird wo woher wohin wurde wurden y
    ya yo zu zum zur zwischen""".split()  # noqa: SIM905 - a list of 500 strings would be 500 lines
)
"""The same in German, French and Spanish, as folded."""
_ENGLISH_TOO = frozenset(
    "bin con die era font fur hat man nun par plus pour sea son tan ton war".split()  # noqa: SIM905 - reads better
)
"""Those that are English words with a meaning of their own tell no language."""
_ELSEWHERE_ONLY = _STOP_ELSEWHERE - STOP - _ENGLISH_TOO
_STOP_ANYWHERE = STOP | _STOP_ELSEWHERE
_SUFFIXES = (  # noqa: SIM905 - a list of 33 strings would be 33 lines
    "ations ation ments ment ities ity ances ance ences ence ists ist ings ing ions ion ably able"
    " est ied ies ers ors ian ous ive ed es er or ly al s e y"
).split()
_PROPER = re.compile(r"(?<!^)\b(?:[A-Z]\w+|\w*\d\w*)")
_PROPER_WEIGHT = 1.5
_LEAST_STEM_CHARS = 4
_MOST_TERMS = 48


def _fold_table() -> bytes:
    table = bytearray(b" " * 256)
    for code in range(len(table)):
        if chr(code).isalnum():
            base = ord(unicodedata.normalize("NFKD", chr(code).lower())[0])
            table[code] = base if base < len(table) else ord(" ")
    return bytes(table)


_FOLDED = _fold_table()


def fold(text: str) -> str:
    """Return `text` in lower case without accents, a space for every other sign; same length."""
    return text.encode("latin-1", "replace").translate(_FOLDED).decode("latin-1")


def terms_of(question: str) -> dict[str, float]:
    """Return what to look for in folded text, with its weight; {}: nothing worth looking for."""
    proper = {fold(word).strip() for word in _PROPER.findall(question)}
    words = fold(question).split()
    common = _common_words(words)
    terms: dict[str, float] = {}
    for word in words:
        if word not in common and len(word) > 1:
            term = term_of(word)
            terms[term] = max(terms.get(term, 0.0), _PROPER_WEIGHT if word in proper else 1.0)
    return dict(list(terms.items())[:_MOST_TERMS])


def term_of(word: str) -> str:
    """Return the beginning of `word` that its other forms share, bounded as a word begins."""
    if word[-1].isdigit() or len(word) < _LEAST_STEM_CHARS:
        return f" {word} "
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _LEAST_STEM_CHARS:
            return f" {word[: -len(suffix)]}"
    return f" {word}"


def _common_words(words: list[str]) -> frozenset[str]:
    """Return the words to pass over; some are common in one language and tell much in another."""
    english = sum(word in STOP and word not in _STOP_ELSEWHERE for word in words)
    others = sum(word in _ELSEWHERE_ONLY for word in words)
    return _STOP_ANYWHERE if others > english else STOP
