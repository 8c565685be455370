"""The signs of program text and configuration files, line by line.

Each is weak: "return" may begin a sentence. A third of the lines together is strong. What is taken
for code by mistake merely keeps its length.
"""

from __future__ import annotations

import re

LINES_MIN = 2
SHARE_MIN = 0.34
LINE_CHARS_MAX = 400
"""Some patterns take quadratic time in a line's length."""

_CODE = re.compile(
    r"""(?:
      (?:async\ )?(?:def|class|fn|func|function|impl|trait|interface|struct|enum|namespace|module)
        \ [\w$*(].*[:{(;,)]$
    | (?:from\ [\w.]+\ )?import\ [\w.*{('"] | package\ [\w.]+;?$
    | \#(?:include|define|ifn?def|if|endif|pragma)\b | \#!/ | \#\ ?\w
    | (?:pub|public|private|protected|static|const|let|var|export|using|use|typedef|extern|template
        |local)\b.*[;{=(,<]
    | (?:if|for|while|else|elif|except|switch|try|catch|do|with|finally|match|loop|case)\b.*[:{;\\]$
    | (?:return|raise|throw|yield|await|assert|break|continue|pass|goto|print|echo|printf)\b
        (?:$|.*[;)\]}\w"']$)
    | (?:fi|done|esac|then|end|begin|endif)$ | [)\]};,]+$ | @\w[\w.]*(?:\(.*)?$
    | //|/\*|\*/|\*\ @\w|--\ |\{%|\{\{|"{3}|'{3}|<!--
    | [\w.$\[\]"'*>-]+(?::\s?\w[\w\[\], .|]*)?\s+[-+*/|&:?.]?=\s\S.*[;,({\[\\\w)"'\]}]$
    | (?:export\ )?[\w.$-]+=(?:\S*|"[^"]*"|'[^']*')$
    | [\w.$>-]+\(.*\)[;,:]?$
    | (?:SELECT|INSERT\ INTO|UPDATE|DELETE\ FROM|CREATE|ALTER|DROP|GRANT)\s
    | (?:FROM|RUN|COPY|ENTRYPOINT|CMD|WORKDIR|ENV|EXPOSE)\ \S | \[[\w.\ "-]+\]$
    | (?![A-Z][a-z]+:\ )[\w.%$()/{}-]+:(?:\ [\w./%$()-]+\.\w+.*)?$ | -\ +[\w.-]+(?::.*)?$
    | (?:-\ )?[a-z][\w.-]*:(?:\ \S.*)?$ | ["'][\w.\ -]+["']\s*:\s.*,?$
    )""",
    re.VERBOSE,
)
# Looked for with the pattern above, these would cost it ten times as much.
_ENDS = (";", "{")
_ARROW = "=>"
_OPENED = re.compile(r"\)\s*\{")
# Lines of a block comment, YAML's members and a Makefile's recipes.
_INDENTED = re.compile(r" \*(?: |$)|\s+[\w.\"'-]+:(?: .*)?$|\t\S")


def looks_like_code(lines: list[str]) -> bool:
    """Tell whether a good part of `lines` could be of a program or a configuration file."""
    filled = [line[:LINE_CHARS_MAX].rstrip() for line in lines if line and not line.isspace()]
    wanted = max(LINES_MIN, SHARE_MIN * len(filled))
    signs, left = 0, len(filled)
    for line in filled:
        signs += _has_sign(line)
        left -= 1
        if signs >= wanted or signs + left < wanted:
            break
    return signs >= wanted


def _has_sign(line: str) -> bool:
    if line.endswith(_ENDS) or _ARROW in line or ("{" in line and _OPENED.search(line)):
        return True
    return _CODE.match(line.lstrip()) is not None or _INDENTED.match(line) is not None
