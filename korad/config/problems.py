"""What is wrong with a configuration, told all at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ConfigError(Exception):
    """The configuration cannot be used; `problems` lists every reason, one sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            message = self.problems[0]
        else:
            lines = [f"{len(self.problems)} problems in the configuration:"]
            lines += [f"  - {problem}" for problem in self.problems]
            message = "\n".join(lines)
        super().__init__(message)


class Problems:
    """Collect problems while reading goes on, so that a person mends them in one go."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem; the text names the place, the setting and what is allowed."""
        self._found.append(problem)

    def unknown(self, where: str, name: str, known: Iterable[str]) -> None:
        """Note a name at `where` that is none of `known`, with the nearest one if any is near."""
        self.add(f'{where} "{name}" is not known; {suggestion(name, known)}')

    def raise_any(self) -> None:
        """Raise ConfigError with everything noted, or return when nothing was."""
        if self._found:
            raise ConfigError(self._found)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return "did you mean ...?" for the nearest of `known`, else the list of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.7)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(names)}"
