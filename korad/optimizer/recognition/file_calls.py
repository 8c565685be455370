"""Tell from a tool call that its result is a file, and what sort of file by its name."""

from __future__ import annotations

import re

CALL_CHARS_MAX = 2_000
CODE, PROSE, CELLS = "code", "prose", "cells"

_CODE_SUFFIX = r"""\.(?:
  pyi?|[mc]?js|[mc]?ts|[jt]sx|java|kts?|scala|c|cc|cpp|cxx|h|hh|hpp|cs|go|rs|rb|php|p[lm]|sh
| bash|zsh|fish|ps1|bat|sql|lua|r|jl|swift|mm?|dart|exs?|[eh]rl|hs|mli?|clj[sc]?|el|lisp|vim
| asm|s|v|sv|vhd|tf|hcl|proto|thrift|graphql|ya?ml|toml|ini|cfg|conf|env|properties|x[ms]l|xsd
| x?html?|vue|svelte|s?css|sass|less|j2|jinja|tmpl|tpl|cmake|gradle|mk|ipynb|lock|pony|jsonc|json5
| diff|patch)"""
_CODE_FILE = "/?(?:Makefile|Dockerfile|Rakefile|Gemfile|Jenkinsfile|Vagrantfile|BUILD)"
_PROGRAM = r"(?:cat|head|tail|less|more|bat|nl|open|view|sed\ -n|goto)"
_MEMBER = r"(?:path|file|file_?path|file_?name|target_file|absolute_path|relative_path)"
# A program that shows a file with its arguments up to the name, or a member that names a file.
_SHOWN = re.compile(
    rf"""(?: (?:^|[\s"'`;&|(]){_PROGRAM}\ (?:[^"|;&<>\\\n]{{0,200}}?[\w\])*-])?
    | "{_MEMBER}"\s*:\s*"[^"\n]{{0,400}}? )
    (?: (?P<{CODE}>{_CODE_SUFFIX}|{_CODE_FILE})
    | (?P<{PROSE}>\.(?:md|mdx|markdown|rst|adoc|textile))
    | (?P<{CELLS}>\.(?:csv|tsv|psv)) )(?![\w./])""",
    re.VERBOSE | re.IGNORECASE,
)
_RUNS = re.compile(
    r"\w*(?:run|exec|test|lint|build|grep|search|log)\w* *\{(?!.*\"command\")", re.IGNORECASE
)


def shown_file(call: str) -> str | None:
    """Return the sort of file that `call` shows: `CODE`, `PROSE` or `CELLS`; None if it shows none.

    `call` is the name and the arguments of the tool call. One that runs or searches the file it
    names does not show it.
    """
    if not call or _RUNS.match(call, 0, CALL_CHARS_MAX):
        return None
    found = _SHOWN.search(call, 0, CALL_CHARS_MAX)
    return found.lastgroup if found else None
