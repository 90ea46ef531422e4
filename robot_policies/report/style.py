"""Look and behaviour of the page; nothing is loaded from elsewhere."""

STYLE = """
:root{--text:#1f2937;--muted:#6b7280;--line:#e5e7eb}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1188px;padding:20px 24px 48px;background:#fff;
color:var(--text);
font:13px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:22px;margin:0 0 12px}h1 small{font-size:13px;font-weight:400;color:var(--muted);margin-left:8px}
h2{font-size:15px;margin:26px 0 8px;padding-bottom:4px;border-bottom:1px solid var(--line)}
p,.note{margin:6px 0;color:var(--muted)}
.tiles{margin-bottom:14px;display:flex;flex-wrap:wrap;gap:8px}
.tile{border:1px solid var(--line);border-radius:8px;padding:6px 11px;flex:1 1 auto}
.tile b{display:block;font-size:17px;white-space:nowrap}
.tile span{color:var(--muted);font-size:11.5px;white-space:nowrap}
.tile.bad{border-color:#fca5a5;background:#fef2f2}.tile.bad b{color:#c92a2a}
.missing{border:1px solid #f59f00;background:#fff9db;border-radius:8px;padding:8px 14px;margin:12px 0}
.trips{border:1px solid #fca5a5;background:#fef2f2;border-radius:8px;padding:8px 14px;margin:12px 0}
.trips b{color:#c92a2a}
.missing ul{margin:4px 0;padding-left:18px}
.strip{display:grid;grid-template-columns:repeat(6,1fr);gap:6px}
.cell{margin:0}.cell img{width:100%;display:block;border-radius:4px}
.cell.depth img{image-rendering:pixelated}
.cell figcaption{font-size:11.5px;color:var(--muted)}.cell.landing figcaption{color:#c92a2a;font-weight:600}
figure{margin:0 0 6px}figcaption{display:flex;gap:10px;align-items:baseline;font-size:12px;white-space:nowrap}
figcaption u{text-decoration:none;color:var(--muted)}
figcaption .read{margin-left:auto;color:var(--text);overflow:hidden;text-overflow:ellipsis}
.joints figcaption .read{font-size:11px}
.joints figcaption i,.keys i{display:none}
i{font-style:normal;color:var(--muted)}
i s{text-decoration:none;color:var(--text);margin-left:5px;display:inline-block}
i s:not(:empty){min-width:44px;text-align:right}
figcaption i::before,.legend i::before,.levels i::before{content:"";display:inline-block;width:10px;height:3px;
background:var(--c);margin-right:4px;vertical-align:middle}
.legend{display:flex;gap:14px;font-size:12px;margin-bottom:4px}
svg{display:block;width:100%;height:auto}svg.time{cursor:crosshair;user-select:none;touch-action:pan-y}
svg text{font-size:10px;fill:#6b7280}
.x line,.y line{stroke:#e5e7eb;stroke-width:1}.y .zero{stroke:#c3c8d0}.base{stroke:#9ca3af}
.limit{stroke:#e03131;stroke-dasharray:3 3;stroke-width:1;opacity:.6}
.data path{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.cursor{stroke:#374151;stroke-width:1;pointer-events:none}
.chosen{fill:#1c7ed6;opacity:.14;pointer-events:none}
.mode{stroke:#fff;stroke-width:.5}.trip{fill:#e03131}.request{fill:#495057}.clamp{fill:#f08c00}
.grid{display:grid;grid-template-columns:repeat(3,1fr);gap:4px 12px}
div.levels{display:flex;gap:10px;font-size:11px;white-space:nowrap}div.levels b{color:var(--text)}
table{border-collapse:collapse;font-size:12.5px}td,th{padding:2px 12px 2px 0;text-align:left;vertical-align:top;
border-bottom:1px solid #f1f3f5}th{color:var(--muted);font-weight:600}
table.levels td:nth-child(n+3),table.levels th:nth-child(n+3){text-align:right;padding-left:10px}
table.events{width:100%}.events td:first-child{text-align:right;width:70px}
tr.trip td{color:#c92a2a;font-weight:600}tr.refused td{color:#b35c00}
.pair{display:flex;gap:48px;flex-wrap:wrap}td{overflow-wrap:anywhere}
.hint{float:right;font-weight:400;font-size:12px;color:var(--muted)}
@media print{.hint{display:none}}
"""

SCRIPT = """
(() => {
  const charts = [...document.querySelectorAll('svg.time')].map(svg => {
    const num = key => parseFloat(svg.dataset[key]);
    const group = svg.querySelector('g.data'), matrix = group && group.transform.baseVal.consolidate().matrix;
    return {svg, group, left: num('left'), wide: num('wide'), sy: matrix && matrix.d, ty: matrix && matrix.f,
      stretch: svg.querySelector('g.stretch'), axis: svg.querySelector('g.x'), cursor: svg.querySelector('.cursor'),
      chosen: svg.querySelector('.chosen'), read: svg.closest('figure').querySelector('.read'),
      keys: [...svg.closest('figure').querySelectorAll('figcaption i s')], lines: null};
  });
  if (!charts.length) return;
  const full = [parseFloat(charts[0].svg.dataset.t0), parseFloat(charts[0].svg.dataset.t1)];
  let view = full.slice(), from = null;
  const NS = 'http://www.w3.org/2000/svg';
  const x = (c, t) => c.left + (t - view[0]) / (view[1] - view[0]) * c.wide;
  const time = (c, event) => {
    const box = c.svg.getBoundingClientRect();
    const px = (event.clientX - box.left) * c.svg.viewBox.baseVal.width / box.width;
    return Math.min(view[1], Math.max(view[0], view[0] + (px - c.left) / c.wide * (view[1] - view[0])));
  };
  const points = c => c.lines ||= [...c.svg.querySelectorAll('g.data path')].map(path => ({
    name: path.dataset.name,
    at: path.getAttribute('d').split(/(?=[ML])/).map(p => [p[0] === 'M', ...p.slice(1).split(' ').map(Number)])}));
  const value = (at, t) => {
    let low = 0, high = at.length - 1;
    if (high < 0 || t < at[0][1] || t > at[high][1]) return null;
    while (high - low > 1) { const mid = (low + high) >> 1; if (at[mid][1] <= t) low = mid; else high = mid; }
    if (high !== low && at[high][0] && t < at[high][1] && t > at[low][1]) return null;
    return (t - at[low][1] < at[high][1] - t ? at[low] : at[high])[2];
  };
  const mode = (c, t) => { for (const r of c.svg.querySelectorAll('.mode'))
    if (t >= +r.dataset.begin && t <= +r.dataset.end) return r.dataset.mode; return ''; };
  const point = t => charts.forEach(c => {
    const px = t === null ? -9 : x(c, t);
    c.cursor.setAttribute('x1', px); c.cursor.setAttribute('x2', px);
    if (t === null) { c.read.textContent = ''; c.keys.forEach(key => key.textContent = ''); return; }
    if (!c.group) { c.read.textContent = t.toFixed(3) + ' s  ' + mode(c, t); return; }
    const small = c.svg.closest('.joints'), told = points(c).map(l => [l.name, value(l.at, t)]);
    told.forEach((l, i) => c.keys[i].textContent = l[1] === null ? '' : l[1].toFixed(3));
    c.read.textContent = !small ? t.toFixed(3) + ' s' :
      told.filter(l => l[1] !== null).map(l => l[0] + ' ' + l[1].toFixed(3)).join('  ');
  });
  const ticks = (low, high, most) => {
    const raw = (high - low) / most, ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(f => f * ten).find(s => s >= raw * .999), all = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) all.push(i * step);
    return [all, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };
  const add = (group, kind, attributes, text) => {
    const e = document.createElementNS(NS, kind);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (text !== undefined) e.textContent = text;
    group.appendChild(e);
  };
  const show = () => charts.forEach(c => {
    const s = c.wide / (view[1] - view[0]), whole = c.wide / (full[1] - full[0]);
    if (c.group) c.group.setAttribute('transform', `matrix(${s} 0 0 ${c.sy} ${c.left - view[0] * s} ${c.ty})`);
    if (c.stretch) {
      c.stretch.setAttribute('transform',
        `translate(${c.left - (view[0] - full[0]) * s - c.left * s / whole} 0) scale(${s / whole} 1)`);
      for (const mark of c.stretch.querySelectorAll('.trip,.request,.clamp'))
        mark.setAttribute('width', 2.5 * whole / s);
    }
    c.axis.replaceChildren();
    const [all, digits] = ticks(view[0], view[1], Math.max(3, Math.floor(c.wide / 110)));
    for (const t of all) {
      const px = x(c, t), y2 = +c.axis.dataset.y2;
      add(c.axis, 'line', {x1: px, x2: px, y1: c.axis.dataset.y1, y2});
      add(c.axis, 'text', {x: px, y: y2 + 13, 'text-anchor': 'middle'}, t.toFixed(digits));
    }
  });
  const choose = (t) => charts.forEach(c => {
    const a = from === null ? 0 : x(c, Math.min(from, t)), b = from === null ? 0 : x(c, Math.max(from, t));
    c.chosen.setAttribute('x', a); c.chosen.setAttribute('width', b - a);
  });
  charts.forEach(c => {
    c.svg.addEventListener('pointermove', e => { const t = time(c, e); point(t); if (from !== null) choose(t); });
    c.svg.addEventListener('pointerleave', () => { point(null); from = null; choose(0); });
    c.svg.addEventListener('pointerdown', e => { from = time(c, e); e.preventDefault(); });
    c.svg.addEventListener('pointerup', e => {
      const t = time(c, e), a = Math.min(from ?? t, t), b = Math.max(from ?? t, t);
      from = null; choose(0);
      if (b - a > (view[1] - view[0]) / 200) { view = [a, b]; show(); point(t); }
    });
    c.svg.addEventListener('dblclick', () => { view = full.slice(); show(); });
  });
})();
"""
