"""The page's style sheet: light, dark, narrow and printed."""

from __future__ import annotations

NARROW_BELOW_PX = 760
WIDE, HALF, NARROW = 900, 436, 340
"""Widths that drawings are made for, in their own units."""

# Colours of targets: told apart with any colour vision, 3:1 or better against their ground.
_LIGHT = """
--page:#f4f5f7;--card:#fff;--ink:#16191d;--soft:#5a6470;--rule:#e3e6ea;--grid:#e6e9ed;
--axis:#9aa3ad;--zebra:#f8f9fb;--good:#0b6b3a;--good-bg:#e2f4ea;--bad:#a3161b;--bad-bg:#fde8e8;
--c0:#0067a8;--c1:#c8500a;--c2:#0a8563;--c3:#a8479b;--c4:#94700a;--c5:#2b93c9;--c6:#5b4bb5;
--c7:#6b7580;
"""
_DARK = """
--page:#101317;--card:#191d23;--ink:#e8ebef;--soft:#9da7b3;--rule:#2c333c;--grid:#2a313a;
--axis:#66707c;--zebra:#1e232a;--good:#6fdc9f;--good-bg:#143322;--bad:#ff9d97;--bad-bg:#43191b;
--c0:#5cb3f0;--c1:#ff9450;--c2:#3ccfa0;--c3:#e596da;--c4:#e6bf4a;--c5:#9bd8f7;--c6:#a99cf5;
--c7:#aab4bf;
"""
_PAGE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}
main{max-width:1000px;margin:0 auto;padding:28px 24px 48px}
h1{font-size:27px;line-height:1.25;font-weight:650;letter-spacing:-.012em;margin:6px 0 8px;
text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:18px;line-height:1.3;font-weight:650;letter-spacing:-.006em;margin:0 0 2px}
h3{font-size:14px;line-height:1.4;font-weight:650;margin:0 0 4px;overflow-wrap:anywhere}
p{margin:0 0 10px}
.over{font-size:13px;color:var(--soft);overflow-wrap:anywhere}
.lead{font-size:16px;color:var(--soft);max-width:70ch;overflow-wrap:anywhere}
.note{font-size:13px;color:var(--soft);max-width:80ch;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;
padding:20px 24px;margin:16px 0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:22px 28px}
figure{margin:12px 0 0;min-width:0}
.chips{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0 4px;padding:0;list-style:none}
.chip{display:flex;gap:8px;border-radius:8px;padding:4px 10px;font-size:14px;min-width:0;
overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.chip b{flex:none;letter-spacing:.04em;font-size:12px;line-height:21px}
.pass{background:var(--good-bg);color:var(--good)}
.fail{background:var(--bad-bg);color:var(--bad)}
.alarm{background:var(--bad-bg);color:var(--bad);border:2px solid var(--bad);border-radius:12px;
padding:14px 20px;margin:14px 0}
.alarm strong{display:block;font-size:20px;line-height:1.3}
.alarm ul{margin:6px 0 0;padding-left:20px;overflow-wrap:anywhere}
.unfit{color:var(--soft)}
.invalid section{border:2px dashed var(--bad)}
.invalid h2::after{content:" (invalid run)";color:var(--bad)}
.tables{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums;
margin-top:10px}
th,td{padding:6px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left;padding-left:0}
td:last-child,th:last-child{padding-right:0}
td:first-child,tbody th{font-weight:550;white-space:normal;overflow-wrap:anywhere;min-width:9em}
thead th{white-space:normal;color:var(--soft);font-weight:500;font-size:13px;vertical-align:bottom;
border-bottom-color:var(--axis)}
thead td{border-bottom-color:var(--axis)}
tbody tr:last-child td,tbody tr:last-child th{border-bottom:0}
tr.group th{padding-top:16px;color:var(--ink);font-weight:650;white-space:normal}
h3 small,tr.group small{color:var(--soft);font-weight:400;font-size:13px}
.single tbody th small{display:block;color:var(--soft);font-weight:400;font-size:13px}
.key{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px}
.bad{color:var(--bad);font-weight:600}
dl{display:grid;grid-template-columns:fit-content(18em) 1fr;gap:4px 20px;
margin:10px 0 0;font-size:14px;font-variant-numeric:tabular-nums}
dt{color:var(--soft);overflow-wrap:anywhere}dd{margin:0;min-width:0;overflow-wrap:anywhere}
dl+h3,pre+h3{margin-top:18px}.tables+.tables{margin-top:18px}
pre{background:var(--zebra);border:1px solid var(--rule);border-radius:8px;padding:10px 14px;
margin:12px 0 0;white-space:pre-wrap;overflow-wrap:anywhere;
font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
"""
_DRAWINGS = """
svg{display:block;width:100%;height:auto}
svg.narrow{display:none}
svg text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;
fill:var(--ink);font-variant-numeric:tabular-nums}
svg text.tick{fill:var(--soft);font-size:12px}
svg text.soft{fill:var(--soft);font-size:12px}
svg text.name{font-weight:600}
svg text.halo{paint-order:stroke;stroke:var(--card);stroke-width:5px;stroke-linejoin:round}
.grid{stroke:var(--grid)}.axis{stroke:var(--axis)}
.leader{stroke:var(--axis);stroke-width:.75}
.one{stroke:var(--ink);stroke-width:1.25}
.limit{stroke:var(--soft);stroke-dasharray:2 4}
.curve{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.thin{stroke-width:1.25}.pale{opacity:.5}.few{stroke-dasharray:1 5}
.knee{stroke-dasharray:5 4;stroke-width:1.5}
.whisker{stroke-width:2.5;stroke-linecap:round}
.failed{fill:var(--bad)}.track{fill:var(--zebra)}
.dot{stroke:var(--card);stroke-width:1.5}
"""
_NARROW = """
main{padding:16px 12px 32px}
section{padding:16px 14px;border-radius:10px}
h1{font-size:22px}
.pair{grid-template-columns:1fr}
svg.wide{display:none}svg.narrow{display:block;max-width:520px}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
table{font-size:13px}th,td{padding:6px 8px}
td:first-child,tbody th{min-width:7em}
.stack thead{display:none}.stack tr{display:grid;grid-template-columns:1fr 1fr;gap:2px 20px;
padding:8px 0;border-bottom:1px solid var(--rule)}.stack tr:last-child{border-bottom:0}
.stack tbody th{grid-column:1/-1;padding:4px 0;border:0}
.stack td{display:flex;justify-content:space-between;gap:8px;padding:1px 0;border:0;
white-space:normal}
.stack.single tr{grid-template-columns:1fr}
.stack td::before{content:attr(data-name);color:var(--soft);text-align:left}
.grid tr{display:grid;grid-template-columns:repeat(5,1fr);border-bottom:1px solid var(--rule)}
.grid td,.grid th{border:0;padding:3px 0}
.grid tbody th{grid-column:1/-1;padding-top:6px}
.grid thead td,.grid :is(td,th):nth-child(2),.grid :is(td,th):nth-child(3){display:none}
.grid thead tr{border-bottom-color:var(--axis)}.grid tr:last-child,.grid tr.group{border-bottom:0}
dl.even{grid-template-columns:1fr 1fr;gap:2px 12px}.even dd{margin:0}
"""
_PRINT = """
@page{margin:14mm}
body{background:#fff;font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:none;padding:0}
section{border:0;border-top:1px solid var(--rule);border-radius:0;padding:12px 0;margin:8px 0}
figure,tr,.alarm,dl{break-inside:avoid}h2,h3{break-after:avoid}
.tables{overflow:visible}table{font-size:9pt}th,td{padding:3px 6px}
"""


def style_sheet() -> str:
    """Return the CSS of the whole page, drawings included."""
    colours = "".join(
        f".curve.c{n},.whisker.c{n},.knee.c{n}{{stroke:var(--c{n})}}"
        f".dot.c{n},.bar.c{n}{{fill:var(--c{n})}}.key.c{n}{{background:var(--c{n})}}"
        f".dot.hollow.c{n}{{fill:var(--card);stroke:var(--c{n});stroke-width:2}}\n"
        for n in range(8)
    )
    return (
        f":root{{color-scheme:light dark;{_LIGHT}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n"
        f"{_PAGE}{_DRAWINGS}{colours}"
        f"@media screen and (max-width:{NARROW_BELOW_PX - 1}px){{{_NARROW}}}\n"
        f"@media print{{:root{{color-scheme:light}}{_PRINT}}}\n"
    )
