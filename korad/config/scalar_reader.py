"""Read the plain settings from their three places, the strongest last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from korad.config.problems import Problems
from korad.config.scalars import SCALARS, Scalar
from korad.config.sources import expand_folder
from korad.domain.value import value


@value
class Scalars:
    """The plain settings somebody gave; the rest keep their defaults."""

    top: dict[str, Any]
    """By key: those outside every section."""
    sections: dict[str, dict[str, Any]]
    """By section, then by the attribute of its record."""


class ScalarReader:
    """Read plain settings of one command line, environment and file."""

    def __init__(
        self,
        given: Mapping[str, object],
        environ: Mapping[str, str],
        *,
        file: Path | None,
        problems: Problems,
    ) -> None:
        self._given = given
        self._environ = environ
        self._file = file
        self._problems = problems

    def read_all(
        self, document: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]
    ) -> Scalars:
        """Return what was given; a weaker place is checked even where a stronger one decides."""
        scalars = Scalars(top={}, sections={})
        known = {scalar.name for scalar in SCALARS}
        for name in sorted(self._given.keys() - known):
            self._problems.unknown("the override", name, known)
        for scalar in SCALARS:
            table = tables[scalar.section] if scalar.section else document
            into = (
                scalars.sections.setdefault(scalar.section, {}) if scalar.section else scalars.top
            )
            found = [
                *self._from_file(scalar, table),
                *self._from_environment(scalar),
                *self._from_command_line(scalar),
            ]
            if found:
                into[scalar.field or scalar.key] = found[-1]
        for section in scalars.sections:
            keys = [scalar.key for scalar in SCALARS if scalar.section == section]
            for key in sorted(tables[section].keys() - set(keys)):
                self._problems.unknown(f"{self._file}: [{section}]", key, keys)
        return scalars

    def _from_file(self, scalar: Scalar, table: Mapping[str, Any]) -> list[Any]:
        if scalar.key not in table:
            return []
        section = f"[{scalar.section}] " if scalar.section else ""
        base = self._file.parent if self._file is not None else Path()
        try:
            return [self._settled(scalar, scalar.kind.read(table[scalar.key]), base)]
        except ValueError:
            self._refuse(f"{self._file}: {section}{scalar.key}", scalar)
            return []

    def _from_environment(self, scalar: Scalar) -> list[Any]:
        set_ = [name for name in scalar.variables if self._environ.get(name, "").strip()]
        values = []
        for name in set_:
            try:
                read = scalar.kind.read_text(self._environ[name])
                values.append(self._settled(scalar, read, Path()))
            except ValueError:
                self._refuse(name, scalar)
        if len(values) > 1 and values[0] != values[1]:
            self._problems.add(f"{' and '.join(set_)} are the same setting, but differ")
        return values

    def _from_command_line(self, scalar: Scalar) -> list[Any]:
        if scalar.name not in self._given:
            return []
        raw = self._given[scalar.name]
        try:
            read = scalar.kind.read_text(raw) if isinstance(raw, str) else scalar.kind.read(raw)
            return [self._settled(scalar, read, Path())]
        except ValueError:
            self._refuse(scalar.option, scalar)
            return []

    def _settled(self, scalar: Scalar, read: object, base: Path) -> object:
        if scalar.key == "state_dir":
            return expand_folder(str(read), self._environ, base)
        return read

    def _refuse(self, where: str, scalar: Scalar) -> None:
        self._problems.add(f"{where} must be {scalar.kind.allowed}")
