"""Fold the library frames of stack traces.

Of a trace stay its messages ("Caused by" and the like are no frames), its first two and last three
frames, every frame of the user's own code as far as a path or a package tells, and every frame that
the question names. The rest of it, and a frame that stood in the same trace before (a recursion),
is counted. A trace that repeats an earlier one of the same text refers to it.
"""

from __future__ import annotations

import re

from korad.domain.value import value
from korad.optimizer.base import HIGH, Block, Transform, note
from korad.optimizer.recognition.asked import Asked, asked_in
from korad.optimizer.recognition.kinds import Kind, kind_of

_FIRST_FRAMES = 2
_LAST_FRAMES = 3
_FOLDED_MIN = 3
"""A note costs as much as a frame or two."""
_TRACE_FRAMES_MIN = 3
_FRAMES_MIN = _FIRST_FRAMES + _LAST_FRAMES + _FOLDED_MIN

_LEFT_ALONE = frozenset({Kind.SOURCE, Kind.DIFF, Kind.JSON, Kind.HTML})


@value
class _Language:
    """How the stack traces of a language look."""

    gates: tuple[tuple[str, str], ...]
    """One of these pairs stands in every text with such a trace: a character, and some words."""
    trace: re.Pattern[str]
    """Three frames or more; each frame begins with its line break."""
    between: re.Pattern[str] | str
    """What stands between two frames."""
    library: re.Pattern[str]
    """How the frames of libraries begin, and not those of the user's own code."""
    within: re.Pattern[str] | None = None
    """Found anywhere in other frames of libraries."""
    innermost_first: bool = True


def _frames(frame: str) -> re.Pattern[str]:
    """Return a pattern of three frames or more, each with the line break before it.

    It begins with that literal, which the engine can search for: 50 times as fast on prose. A
    frame refers to its own group as the first one.
    """
    more = frame.replace(r"\1", r"\2")
    return re.compile(rf"\n{frame}(?:\n{more}){{{_TRACE_FRAMES_MIN - 1},}}")


_LANGUAGES = (
    _Language(  # the JVM, JavaScript and .NET
        gates=(("\t", "\tat "), (" ", " at ")),
        trace=_frames(r"[ \t]+at [^\n(:]*[(:][^\n]*"),
        between="\n",
        library=re.compile(
            r"""\s+at\ (?:async\ |new\ )?(?:
                (?:[\w.$-]{1,80}(?:@[\w.]{1,80})?/{1,2})?              # a module or a class loader
                (?:java|javax|jdk|sun|kotlinx?|scala|groovy|akka|reactor|rx|junit|androidx?|dalvik
                  |com\.(?:sun|android|fasterxml|zaxxer|mysql|google\.(?:common|inject|gson))
                  |org\.(?:springframework|apache|hibernate|eclipse|junit|gradle|jboss|codehaus
                    |mockito|postgresql|testng|slf4j|jetbrains|aspectj|wildfly|assertj|hamcrest)
                  |io\.(?:netty|reactivex|micrometer|undertow|vertx|grpc|quarkus|ktor)
                  |ch\.qos|clojure|play\.(?:api|core)
                  |System|Microsoft|Newtonsoft|Xunit|NUnit|MS\.Internal)\.
                |lambda_method)""",
            re.VERBOSE,
        ),
        # One set of signs first: the engine then searches for them.
        within=re.compile(
            r"[/\\ (](?:(?<=[/\\])node_modules[/\\]|(?<=[ (])(?:node:|internal/)"
            r"|(?<=\()(?:<anonymous>|native)\))"
        ),
    ),
    _Language(  # Python
        gates=(('"', '  File "'),),
        trace=_frames(r'([ \t]+)File "[^"\n]*", line \d[^\n]*(?:\n\1[ \t][^\n]*)*'),
        between=re.compile(r'\n(?=[ \t]+File ")'),
        library=re.compile(
            r'\s+File "(?:<frozen |[^"]*(?:site-packages|dist-packages'
            r'|[Ll]ib(?:64)?[/\\]python\d[^"/\\]*|Python\d+[/\\][Ll]ib)[/\\])'
        ),
        innermost_first=False,
    ),
    _Language(  # Go
        gates=(("\t", "goroutine "),),
        trace=_frames(r"[^\s(][^\n]*\n\t[^\n]*\.go:\d[^\n]*"),
        between=re.compile(r"\n(?!\t)"),
        library=re.compile(
            r"[^\n]*\n\t(?:[^\n]*/(?:pkg/mod|vendor|libexec/src)/|/usr/(?:local/|lib/)?go[^/\n]*/src/"
            r"|[^\n]*/go/src/(?!\w+\.\w))"
        ),
    ),
    _Language(  # Rust
        gates=((":", "stack backtrace:"),),
        trace=_frames(r" {0,9}\d+: [^\n]+(?:\n {9,20}at [^\n]+)?"),
        between=re.compile(r"\n(?= {0,9}\d+: )"),
        library=re.compile(
            r"\s*\d+:\s+(?:0x[0-9a-f]+ - )?"
            r"(?:<*(?:&?dyn )?(?:std|core|alloc|tokio|futures\w*|hyper|rayon\w*|tracing\w*|test)::"
            r"|rust_begin_unwind|__rust|__libc|_start|start_thread|clone)"
        ),
        within=re.compile(r"\n {9,20}at /rustc/|\.cargo/registry/"),
    ),
    _Language(  # Ruby
        gates=(("`", ":in `"), ("'", ":in '")),
        trace=_frames(r"[ \t]+(?:\d+: )?(?:from )?[^\s:][^\n:]*:\d+:in [`'][^\n]*"),
        between="\n",
        library=re.compile(r"\s+(?:\d+: )?(?:from )?(?:[^:]*/(?:gems|lib/ruby)/|<internal:)"),
    ),
)


def fold(block: Block) -> str:
    """Return the text with the library frames of its stack traces counted instead of listed."""
    text = block.text
    if text.count("\n") < _TRACE_FRAMES_MIN:
        return text
    languages = [known for known in _LANGUAGES if _may_hold(text, known)]
    languages = [known for known in languages if known.trace.search(text)]
    if not languages:
        return text
    if _is_quoted(block, languages):
        return text
    asked = asked_in(text, block.question, block.call)
    for language in languages:
        text = language.trace.sub(_Folder(language, asked).fold, text)
    return text if text != block.text else block.text


def _may_hold(text: str, language: _Language) -> bool:
    # One character is found ten times as fast as several, and often is not there.
    return any(sign in text and words in text for sign, words in language.gates)


def _is_quoted(block: Block, languages: list[_Language]) -> bool:
    """Tell whether a text's traces stand in source code or in a diff."""
    if kind_of("-", block.fence, block.call) is Kind.SOURCE or "\n@@ -" in block.text:
        return True
    # Frames look like code themselves: only what stands between them can be judged.
    around = block.text
    for language in languages:
        around = language.trace.sub("", around)
    if 2 * len(around) < len(block.text):
        return False
    return kind_of(around, block.fence, block.call) in _LEFT_ALONE


class _Folder:
    """Folds the traces of one text, one after another."""

    __slots__ = ("_asked", "_by_key", "_is_idle", "_language")

    def __init__(self, language: _Language, asked: Asked | None) -> None:
        self._language = language
        self._asked = asked
        self._is_idle: dict[str, bool] = {}
        """Frames that need not stay, as far as they alone tell."""
        self._by_key: dict[str, str] = {}
        """Traces by their innermost frame; "" where two differ."""

    def fold(self, match: re.Match[str]) -> str:
        """Return what stays of a trace."""
        trace = match.group()
        between = self._language.between
        frames = trace[1:].split(between) if isinstance(between, str) else between.split(trace[1:])
        innermost = frames[0 if self._language.innermost_first else -1]
        known = self._by_key.get(innermost)
        self._by_key[innermost] = trace if known in (None, trace) else ""
        if known == trace:
            # One frame stays: it tells which of the traces above is meant.
            same = _indented("same stack trace as above", frames[0])
            kept = [innermost, same] if self._language.innermost_first else [same, innermost]
        elif len(frames) >= _FRAMES_MIN:
            kept = self._kept(frames)
        else:
            return trace
        return "\n" + "\n".join(kept)

    def _kept(self, frames: list[str]) -> list[str]:
        """Return the frames that stay and, in the place of the others, how many those are."""
        kept = frames[:_FIRST_FRAMES]
        run: list[str] = []
        met = set(kept)
        for frame in frames[_FIRST_FRAMES:-_LAST_FRAMES]:
            if frame in met or self._idle(frame):
                run.append(frame)
                continue
            if run:
                kept += _counted(run)
                run = []
            kept.append(frame)
            met.add(frame)
        return [*kept, *_counted(run), *frames[-_LAST_FRAMES:]]

    def _idle(self, frame: str) -> bool:
        """Tell whether a frame is a library's, and not asked for."""
        idle = self._is_idle.get(frame)
        if idle is None:
            library, within = self._language.library, self._language.within
            idle = library.match(frame) is not None or (
                within is not None and within.search(frame) is not None
            )
            if idle and self._asked is not None:
                idle = not self._asked.is_in(frame)
            self._is_idle[frame] = idle
        return idle


def _counted(run: list[str]) -> list[str]:
    """Return a run of frames, or the note that counts them if they are enough."""
    return run if len(run) < _FOLDED_MIN else [_indented(f"{len(run)} frames left out", run[0])]


def _indented(words: str, frame: str) -> str:
    """Return a note, indented like a frame."""
    return frame[: len(frame) - len(frame.lstrip())] + note(words)


STACK_TRACES = Transform(name="Stack trace folding", level=HIGH, apply=fold, notes=True)
