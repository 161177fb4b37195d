// Curves that grow, as SVG: texts stay as large as those of the page, however wide it is.

const [HIGH, LEFT, TOP, BOTTOM] = [190, 46, 14, 34];

function made(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A number for people, with three digits that mean something. */
export function short(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

/** Round numbers from low to high, about so many. */
export function ticks(low, high, count = 4) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.7);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** The numbers between which a chart of values lies: a share has 1 at the top, what is never negative 0 at the bottom. */
export function bounds(values) {
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return [0, 1];
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (low >= 0 && high <= 1 && high > 0.5) high = 1;
  else if (low >= 0) low = 0;
  const room = (high - low || Math.abs(high) || 1) * 0.04;
  return [low === 0 ? 0 : low - room, high === 1 ? 1 : high + room];
}

/** Draw series [{name, points: [[x, y]]}] into a figure; `until` is the last epoch there will be. */
export function draw(figure, series, until) {
  const wide = Math.max(figure.clientWidth, 160);
  const right = 14;
  const values = series.flatMap(({ points }) => points.map(([, y]) => y));
  const [low, high] = bounds(values);
  const px = (x) => LEFT + ((wide - LEFT - right) * x) / Math.max(until, 1);
  const py = (y) => HIGH - BOTTOM - ((HIGH - TOP - BOTTOM) * (y - low)) / (high - low);
  const svg = made("svg", { viewBox: `0 0 ${wide} ${HIGH}`, width: wide, height: HIGH, role: "img", "aria-label": told(series) });
  for (const value of ticks(low, high)) {
    svg.append(made("path", { d: `M${LEFT} ${py(value)}H${wide - right}`, class: "grid" }));
    svg.append(made("text", { x: LEFT - 8, y: py(value) + 4, "text-anchor": "end" }, short(value)));
  }
  for (const epoch of ticks(0, until, Math.min(Math.floor(wide / 70), until)).filter(Number.isInteger))
    svg.append(made("text", { x: px(epoch), y: HIGH - BOTTOM + 17, "text-anchor": "middle" }, String(epoch)));
  svg.append(made("text", { x: (LEFT + wide - right) / 2, y: HIGH - 2, "text-anchor": "middle" }, "epoch"));
  series.forEach(({ points }, i) => {
    const drawn = points.filter(([, y]) => Number.isFinite(y));
    if (!drawn.length) return;
    const line = drawn.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
    svg.append(made("polyline", { points: line, class: `line s${i}` }));
    const [x, y] = drawn.at(-1);
    svg.append(made("circle", { cx: px(x), cy: py(y), r: 3.5, class: `dot s${i}` }));
  });
  figure.querySelector("svg")?.remove();
  figure.append(svg);
}

function told(series) {
  const last = series.filter(({ points }) => points.length).map(({ name, points }) => `${name} ${short(points.at(-1)[1])}`);
  return last.length ? `by epoch; now ${last.join(", ")}` : "nothing yet";
}
