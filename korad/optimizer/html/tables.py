"""Write the rows of data tables as `| a | b |`, and leave the cells of layout tables as blocks."""

from __future__ import annotations

from typing import Final

from korad.optimizer.html.marks import BREAKS, BULLET, END, KEPT, LINE, PARAGRAPH, TAIL

_LONGEST_ROW_CHARS: Final = 2_000
"""A row with more text lays out a page."""
_WIDEST_SPAN: Final = 50


def _span(said: str | None) -> int:
    return min(int(said), _WIDEST_SPAN) if said and said.isdecimal() and len(said) < 5 else 1  # noqa: PLR2004 - int() of a huge number is slow


class _Table:
    __slots__ = ("cells", "layout", "spans", "start")

    def __init__(self) -> None:
        self.layout = False
        self.start = -1
        """Where the open row begins in the output; -1: none is open."""
        self.cells: list[tuple[int, int, int]] = []
        """Where each cell begins, its columns and its rows."""
        self.spans: dict[int, int] = {}
        """Columns that a cell of an earlier row still fills, and for how many rows."""


class Tables:
    """The open tables, innermost last; rows are written into the page's output."""

    __slots__ = ("_open", "_out")

    def __init__(self, out: list[str]) -> None:
        self._out = out
        self._open: list[_Table] = []

    def row_start(self) -> int:
        """Return where the open row begins in the output, or -1."""
        return self._open[-1].start if self._open else -1

    def open(self) -> None:
        """Begin a table; one in a cell makes the outer tables layout."""
        if self._open:
            self._open[-1].layout = True
        self._out.append(PARAGRAPH)
        self._open.append(_Table())

    def close(self) -> None:
        """End the innermost table."""
        self.end_row()
        if self._open:
            self._open.pop()
        self._out.append(PARAGRAPH)

    def close_all(self) -> None:
        """End what the page left open."""
        while self._open:
            self.close()

    def begin_row(self) -> None:
        """Begin a row, and end the one before."""
        self.end_row()
        self._out.append(LINE)
        if self._open:
            self._open[-1].start = len(self._out)

    def begin_cell(self, of: dict[str, str]) -> None:
        """Begin a cell, and a row if none is open."""
        if self._open and self._open[-1].start < 0:
            self.begin_row()
        self._out.append(LINE)
        if self._open:
            spans = _span(of.get("colspan")), _span(of.get("rowspan"))
            self._open[-1].cells.append((len(self._out), *spans))

    def end_row(self) -> None:
        """Write the open row, if there is one."""
        if not self._open:
            return
        table = self._open[-1]
        start, cells = table.start, table.cells
        table.start, table.cells = -1, []
        if table.layout or start < 0 or not cells:
            return
        stray = "".join(self._out[start : cells[0][0]])
        ends = [cell[0] for cell in cells[1:]] + [len(self._out)]
        texts = ["".join(self._out[at:end]) for (at, *_), end in zip(cells, ends, strict=True)]
        whole = "".join(texts)
        columns = table.spans or any(wide > 1 or high > 1 for _, wide, high in cells)
        if len(whole) > _LONGEST_ROW_CHARS or BULLET + "#" in whole or KEPT in whole:
            table.spans.clear()
            return
        texts = [" ".join(BREAKS.sub(" ", text.replace(TAIL, "")).split()) for text in texts]
        if columns:
            texts = _spread(table, cells, texts)
        del self._out[start:]
        self._out.append(stray)  # in no cell, yet words
        if any(texts):
            line = f"| {' | '.join(texts)} |" if len(texts) > 1 else texts[0]
            self._out.append(LINE + line + END)


def _spread(table: _Table, cells: list[tuple[int, int, int]], texts: list[str]) -> list[str]:
    """Return the row with a cell for every column: "^" where the cell above goes on."""
    row: list[str] = []

    def fill_from_above() -> None:
        while table.spans.get(len(row), 0) > 0:
            table.spans[len(row)] -= 1
            row.append("^")

    below: dict[int, int] = {}
    for (_, wide, high), text in zip(cells, texts, strict=True):
        fill_from_above()
        if high > 1:
            below |= dict.fromkeys(range(len(row), len(row) + wide), high - 1)
        row += [text, *[""] * (wide - 1)]
    fill_from_above()
    table.spans = {at: rows for at, rows in table.spans.items() if rows > 0} | below
    return row
