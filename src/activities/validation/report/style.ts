/** The report's style sheet: readable in light and dark, on screens and on paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fff; --panel: #f5f7f9; --line: #d9dfe6;
  --good: #1a7f4b; --bad: #c0362c; --unsure: #9a6700; --neutral: #4a6fa5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #9aa7b5; --paper: #12171e; --panel: #1b222b;
  --line: #313c48; --good: #4cc38a; --bad: #ff7b72; --unsure: #e3b341; --neutral: #7aa2e0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1000px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 10px; }
p { margin: 4px 0 12px; } .soft { color: var(--soft); }
.banner { background: var(--unsure); color: var(--paper); padding: 8px 12px; border-radius: 6px; font-weight: 600;
  margin-bottom: 18px; }
.verdict, .status { display: inline-block; padding: 1px 9px; border-radius: 10px; border: 1px solid currentColor;
  font-size: 0.85em; font-weight: 600; white-space: nowrap; }
.passed, .status.pass { color: var(--good); } .failed, .status.fail, .BLOCK { color: var(--bad); }
.inconclusive, .error, .status.no-data, .WARN { color: var(--unsure); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td { overflow-wrap: anywhere; min-width: 4em; } td:first-child { min-width: 10em; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 10px; margin: 4px 0 10px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; max-height: 320px; overflow-y: auto; }
details { border-bottom: 1px solid var(--line); padding: 7px 0; } summary { cursor: pointer; }
svg { width: 100%; max-width: 760px; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); }
svg .small { font-size: 10px; fill: var(--soft); } .track { fill: var(--panel); } .bar { fill: var(--neutral); }
.bar.pass { fill: var(--good); } .bar.fail { fill: var(--bad); } .bar.inconclusive { fill: var(--unsure); }
.whisker { stroke: var(--ink); stroke-width: 2; } .threshold { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 3 2; }
.grid { stroke: var(--line); } .curve { fill: none; stroke: var(--neutral); stroke-width: 2; }
@media print { pre { max-height: none; } }
`;
