"use strict";
const colours = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bb6633", "#8888bb"];
const wide = 420, high = 240, left = 56, right = 12, top_ = 30, bottom = 34;
const svg = (name, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
};
const short = (value) => Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3)
  ? value.toExponential(1) : String(Number(value.toPrecision(4)));
const chart = (title, series) => {
  const made = svg("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img" });
  made.append(svg("text", { x: left, y: 16, class: "name" }, title));
  const all = series.flatMap((one) => one.ys.filter((y) => y !== null));
  const xs = series.flatMap((one) => one.xs);
  if (!all.length) return made;
  let low = all.reduce((a, b) => Math.min(a, b)), up = all.reduce((a, b) => Math.max(a, b));
  const log = low > 0 && up / low > 30;
  const scale = log ? Math.log10 : (y) => y;
  low = scale(low); up = scale(up);
  if (up === low) { low -= 0.5; up += 0.5; }
  const from = xs.reduce((a, b) => Math.min(a, b)), to = Math.max(xs.reduce((a, b) => Math.max(a, b)), from + 1e-9);
  const px = (x) => left + (wide - left - right) * (x - from) / (to - from);
  const py = (y) => high - bottom - (high - top_ - bottom) * (scale(y) - low) / (up - low);
  for (let i = 0; i <= 4; i++) {
    const at = low + (up - low) * i / 4, value = log ? 10 ** at : at, y = py(value);
    made.append(svg("path", { d: `M${left} ${y}H${wide - right}`, class: "grid" }));
    made.append(svg("text", { x: left - 6, y: y + 4, "text-anchor": "end", class: "tick" }, short(value)));
  }
  const step = Math.max(1, Math.ceil((to - from) / 5));
  for (let x = Math.ceil(from); x <= to; x += step) {
    made.append(svg("text", { x: px(x), y: high - 14, "text-anchor": "middle", class: "tick" }, short(x)));
  }
  made.append(svg("text", { x: (left + wide) / 2, y: high - 2, "text-anchor": "middle", class: "tick" }, "epoch"));
  series.forEach((one, i) => {
    const colour = colours[i % colours.length];
    const points = one.xs.map((x, k) => [x, one.ys[k]]).filter(([, y]) => y !== null && (!log || y > 0));
    if (points.length === 1) {
      made.append(svg("circle", { cx: px(points[0][0]), cy: py(points[0][1]), r: 3, fill: colour }));
    } else if (points.length) {
      const d = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
      made.append(svg("polyline", { points: d, fill: "none", stroke: colour, "stroke-width": 1.6 }));
    }
    if (series.length > 1 || one.name === "valid") {
      made.append(svg("text", { x: wide - right, y: top_ + 12 * i, "text-anchor": "end", style: `fill:${colour}`, class: "tick over" },
        one.name));
    }
  });
  return made;
};
const show = (state) => {
  document.getElementById("said").textContent = state.said;
  document.title = state.said;
  document.getElementById("notes").textContent = state.notes.join("\n");
  const place = document.getElementById("charts");
  place.replaceChildren();
  for (const program of state.programs) {
    if (state.programs.length > 1) {
      const head = document.createElement("h2");
      head.textContent = program.name;
      place.append(head);
    }
    const row = document.createElement("div");
    row.className = "row";
    for (const one of program.charts) row.append(chart(one.title, one.series));
    place.append(row);
  }
};
const follow = async () => {
  try {
    const state = await (await fetch("state.json", { cache: "no-store" })).json();
    show(state);
    if (state.ended) return;
  } catch (error) {
    document.getElementById("gone").hidden = false;
    return;
  }
  setTimeout(follow, 1000);
};
follow();
