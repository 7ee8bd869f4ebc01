"""The looks of a page: its style sheet, for light and dark, and the patterns that stand beside each colour."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fbfbfa; --card: #ffffff; --ink: #1d2126; --soft: #5d6670; --line: #e2e4e7; --faint: #eef0f2;
  --good: #1b7f4b; --warn: #9a6700; --bad: #c0262d;
  --starting: #f2c14e; --proven: #9ecae9; --traffic: #2f6fb5; --draining: #b9a7d6; --over: rgba(20, 24, 32, .42);
  --v0: #3b7dd8; --v1: #e08a2c; --v2: #3f9d6b; --v3: #8a63c9; --v4: #c9517f; --v5: #6b7785;
  --weave: rgba(255, 255, 255, .5);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --card: #1b1f24; --ink: #e7eaee; --soft: #9aa4af; --line: #30363d; --faint: #262b31;
    --good: #56c98a; --warn: #e0b04a; --bad: #ff7b7b;
    --starting: #b98a1e; --proven: #5f93b8; --traffic: #3d84d1; --draining: #7c6a9f; --over: rgba(255, 255, 255, .45);
    --v0: #4c8ee6; --v1: #c9792a; --v2: #3c9467; --v3: #8b6bc4; --v4: #c05a81; --v5: #75818f;
    --weave: rgba(0, 0, 0, .38);
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
main { max-width: 1240px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 19px; line-height: 1.3; margin: 0 0 4px; }
h3 { font-size: 14px; margin: 20px 0 6px; }
p { margin: 4px 0; max-width: 90ch; }
a { color: inherit; }
.soft { color: var(--soft); }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.break { overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 20px 0; padding: 0; list-style: none; }
.cards li {
  flex: 1 1 130px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px;
}
.cards b {
  display: block; font-size: 21px; line-height: 1.25; font-variant-numeric: tabular-nums; white-space: nowrap;
}
.cards span { color: var(--soft); font-size: 13px; }
.notes { margin: 16px 0; padding: 10px 14px 10px 32px; border-left: 3px solid var(--line); background: var(--card); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin: 20px 0;
}
.wide { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12.5px; white-space: nowrap; }
th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.tight { white-space: nowrap; }
td.text { min-width: 180px; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
details { margin-top: 12px; border-top: 1px solid var(--faint); padding-top: 10px; }
summary { cursor: pointer; color: var(--soft); font-size: 14px; }
.reason { border-left: 3px solid var(--bad); padding: 2px 0 2px 12px; margin: 10px 0; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 12px 0 8px; font-size: 12.5px; color: var(--soft); }
.legend span { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }
.legend svg { width: 22px; height: 12px; }
.timeline { display: block; width: 100%; min-width: 880px; height: auto; }
.timeline text { font-size: 11px; fill: var(--ink); font-variant-numeric: tabular-nums; white-space: pre; }
.timeline .value, .timeline .tick { fill: var(--soft); }
.timeline .title { font-weight: 600; }
.timeline .stage { font-size: 10.5px; fill: var(--soft); }
.timeline .stage.failed { fill: var(--bad); font-weight: 600; }
.grid { stroke: var(--faint); stroke-width: 1; }
.stage-line { stroke: var(--soft); stroke-width: 1; opacity: .55; }
.stage-line.back { stroke-dasharray: 3 3; }
.failure-line { stroke: var(--bad); stroke-width: 2; }
.phase-starting { fill: var(--starting); } .phase-proven { fill: var(--proven); }
.phase-traffic { fill: var(--traffic); } .phase-draining { fill: var(--draining); }
.pattern-starting { fill: url(#p-slant); } .pattern-proven { fill: url(#p-dots); }
.pattern-traffic { fill: transparent; } .pattern-draining { fill: url(#p-bars); }
.mark-stopped { fill: var(--ink); }
.mark-ground { fill: var(--card); stroke: var(--bad); stroke-width: 1.5; }
.mark-bad { stroke: var(--bad); stroke-width: 2; fill: none; stroke-linecap: round; }
.capacity-area { fill: var(--traffic); opacity: .13; }
.capacity-useful { fill: none; stroke: var(--traffic); stroke-width: 2.2; }
.capacity-existing { fill: none; stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 2 3; }
.capacity-floor { stroke: var(--bad); stroke-width: 1.6; stroke-dasharray: 7 4; }
.capacity-short { fill: var(--bad); opacity: .3; } .pattern-short { fill: url(#p-slant); }
.hover { fill: transparent; }
.failed { fill: var(--bad); }
.version-0 { fill: var(--v0); } .version-1 { fill: var(--v1); } .version-2 { fill: var(--v2); }
.version-3 { fill: var(--v3); } .version-4 { fill: var(--v4); } .version-5 { fill: var(--v5); }
.weave-0 { fill: transparent; } .weave-1 { fill: url(#w-slant); } .weave-2 { fill: url(#w-dots); }
.weave-3 { fill: url(#w-bars); } .weave-4 { fill: url(#w-back); } .weave-5 { fill: url(#w-rows); }
.outcome-succeeded, .outcome-unchanged { fill: var(--good); }
.outcome-rolled_back, .outcome-frozen, .outcome-interrupted { fill: var(--warn); }
.outcome-stuck, .outcome-open { fill: var(--bad); }
@media (max-width: 640px) {
  main { padding: 20px 12px 40px; }
  section { padding: 14px 12px; }
  h1 { font-size: 22px; }
}
@media print { section { break-inside: avoid; } body { background: #fff; } }
"""


def patterns_svg() -> str:
    """Return an invisible element with the patterns, once for a whole page."""
    return (
        '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>\n'
        + "\n".join(_pattern(prefix, name, f"var(--{colour})") for prefix, colour in _USES for name in _SHAPES)
        + "\n</defs></svg>"
    )


_USES = (("p", "over"), ("w", "weave"))

_SHAPES = {
    "slant": '<path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" stroke="{0}" stroke-width="1.4"/>',
    "back": '<path d="M-1 -1L7 7M5 -1L7 1M-1 5L1 7" stroke="{0}" stroke-width="1.4"/>',
    "dots": '<circle cx="3" cy="3" r="1.1" fill="{0}"/>',
    "bars": '<path d="M2 0V6" stroke="{0}" stroke-width="1.2"/>',
    "rows": '<path d="M0 3H6" stroke="{0}" stroke-width="1.2"/>',
}


def _pattern(prefix: str, name: str, colour: str) -> str:
    shape = _SHAPES[name].format(colour)
    return f'<pattern id="{prefix}-{name}" width="6" height="6" patternUnits="userSpaceOnUse">{shape}</pattern>'
