"""Where a load process records what its exchanges come to.

While requests are sent, a number is appended to an array and no more; distributions and seconds
are made of them when the block is over. That is eight bytes a number and a tenth of the time.
"""

from __future__ import annotations

from array import array

from bench.load.dialect import error_words
from bench.load.histogram import Histogram
from bench.load.plan import Slo
from bench.load.result import METRICS
from bench.load.tally import Beat, Passed, SecondCounts, Tally

NS = 1_000_000_000
_MS = 1_000_000
_BEAT_TIMES = 500


class Times:
    """The values of one phase, by metric, in ns."""

    __slots__ = METRICS

    def __init__(self) -> None:
        self.e2e = array("q")
        self.ttft = array("q")
        self.itl = array("q")
        self.tpot = array("q")
        self.overhead = array("q")
        self.chunk_overhead = array("q")
        self.lag = array("q")


class Recorder:
    """Counts and times of one phase: the warm-up, or what is measured."""

    __slots__ = (
        "_beaten",
        "_failed",
        "_good",
        "_judged",
        "_said",
        "_slo",
        "chunks_at",
        "has_slo",
        "left_at",
        "ok_e2e",
        "ok_from",
        "ok_tokens",
        "shed",
        "started_at",
        "streams_max",
        "times",
    )

    def __init__(self, slo: Slo) -> None:
        self.times = Times()
        self.started_at = array("q")
        """Intended send times."""
        self.ok_from = array("q")
        """Of good answers: intended send times."""
        self.ok_e2e = array("q")
        """Of the same: how long they took, by slow readers too."""
        self.ok_tokens = array("q")
        self.chunks_at = array("q")
        """When chunks with text came in."""
        self.left_at = array("q")
        self.shed = 0
        self.streams_max = 0
        self._failed: list[tuple[str, int, int]] = []
        self._said: dict[str, str] = {}
        self._slo = slo
        self.has_slo = slo != Slo()
        self._judged = self._good = 0
        self._beaten = 0

    def succeeded(self, intended_ns: int, e2e_ns: int, tokens: int) -> None:
        """Count an answer that was complete and right."""
        self.ok_from.append(intended_ns)
        self.ok_e2e.append(e2e_ns)
        self.ok_tokens.append(tokens)

    def failed(self, kind: str, intended_ns: int, now_ns: int) -> None:
        """Count a failure."""
        self._failed.append((kind, intended_ns, now_ns))

    def refused(self, kind: str, body: bytes) -> None:
        """Keep what the first answer of a class of error said, in a JSON body as OpenAI's."""
        if not self._said.get(kind):
            self._said[kind] = error_words(body)

    def judge(self, e2e_ns: int, ttft_ns: int | None, itl_ns: float | None) -> None:
        """Count an answer as good or not by the SLO, if there is one; None: no such time."""
        slo = self._slo
        self._judged += 1
        self._good += (
            _within(e2e_ns, slo.e2e_ms)
            and _within(ttft_ns, slo.ttft_ms)
            and _within(itl_ns, slo.itl_ms)
        )

    def beat(self, under_way: int) -> Beat:
        """Return a look at how things stand."""
        recent = self.ok_e2e[self._beaten :]
        self._beaten = len(self.ok_e2e)
        return Beat(
            started=len(self.started_at),
            ok=self._beaten,
            failed=len(self._failed),
            under_way=under_way,
            e2e_ns=list(recent[:: 1 + len(recent) // _BEAT_TIMES]),
        )

    def finish(self, start_ns: int, seconds: float, warming: Recorder) -> Tally:
        """Return all of it, ready to be sent; what came in counts from the warm-up too."""
        tally = Tally(
            started=len(self.started_at),
            ok=len(self.ok_from),
            left=len(self.left_at),
            shed=self.shed,
            judged=self._judged + (len(self._failed) if self.has_slo else 0),
            good=self._good,
            chunks=len(self.chunks_at),
            tokens=sum(self.ok_tokens),
            streams_max=self.streams_max,
            said={kind: words for kind, words in self._said.items() if words},
        )
        for kind, _, _ in self._failed:
            tally.errors[kind] = tally.errors.get(kind, 0) + 1
        for metric in METRICS:
            values = Histogram()
            values.record_all(getattr(self.times, metric))
            tally.keep(metric, values)
        ends = [now_ns for _, _, now_ns in self._failed] + list(self.left_at)
        ends += [begin + took for begin, took in zip(self.ok_from, self.ok_e2e, strict=True)]
        tally.last_end_s = (max(ends, default=start_ns) - start_ns) / NS
        count = whole_seconds(seconds)
        tally.seconds = self._by_second(start_ns, count)
        tally.passed = [Passed() for _ in range(count)]
        end_ns = start_ns + int(seconds * NS)
        for recorder in (self, warming):
            _add_passed(recorder, tally.passed, start_ns, end_ns)
        return tally

    def _by_second(self, start_ns: int, count: int) -> list[SecondCounts]:
        """Return the counts by intended second; a conversation's turns may come after the last."""
        seconds = [SecondCounts() for _ in range(count)]
        taken = [array("q") for _ in range(count)]
        for at_ns in self.started_at:
            seconds[min(count - 1, (at_ns - start_ns) // NS)].started += 1
        for _, at_ns, _ in self._failed:
            seconds[min(count - 1, (at_ns - start_ns) // NS)].failed += 1
        for at_ns, took_ns in zip(self.ok_from, self.ok_e2e, strict=True):
            taken[min(count - 1, (at_ns - start_ns) // NS)].append(took_ns)
        for second, times in zip(seconds, taken, strict=True):
            second.ok = len(times)
            second.e2e_ns = times.tobytes()
        return seconds


def whole_seconds(seconds: float) -> int:
    """Return how many seconds a span touches."""
    return max(1, -int(-seconds // 1))


def _add_passed(recorder: Recorder, passed: list[Passed], start_ns: int, end_ns: int) -> None:
    for begin, took, tokens in zip(
        recorder.ok_from, recorder.ok_e2e, recorder.ok_tokens, strict=True
    ):
        if start_ns <= begin + took < end_ns:
            second = passed[(begin + took - start_ns) // NS]
            second.requests += 1
            second.tokens += tokens
    for at_ns in recorder.chunks_at:
        if start_ns <= at_ns < end_ns:
            passed[(at_ns - start_ns) // NS].chunks += 1


def _within(value_ns: float | None, limit_ms: float | None) -> bool:
    return value_ns is None or limit_ms is None or value_ns <= limit_ms * _MS
