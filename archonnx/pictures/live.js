"use strict";
const colours = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bb6633", "#8888bb"];
const parts = { train: 0, valid: 1 };
const wide = 420, plot = 176, left = 46, right = 12, bottom = 34, line = 14;
const svg = (name, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
};
const short = (value) => Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3)
  ? value.toExponential(1) : String(Number(value.toPrecision(4)));
const round = (low, up, count) => {
  const rough = (up - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.7);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= up + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
};
const powers = (low, up) => {
  const found = [];
  for (let k = Math.floor(Math.log10(low)); k <= Math.log10(up); k++) {
    for (const one of up / low > 1000 ? [1] : [1, 2, 5]) found.push(Number((one * 10 ** k).toPrecision(3)));
  }
  return found.filter((one) => one >= low && one <= up);
};
const legend = (series, colour) => {
  const places = [];
  let x = left, y = 0;
  series.forEach((one, i) => {
    const size = 18 + 6.1 * one.name.length;
    if (x > left && x + size > wide - right) { x = left; y += line; }
    places.push({ x, y, name: one.name, colour: colour(i) });
    x += size + 8;
  });
  return places;
};
const chart = (title, series) => {
  const colour = (i) => colours[(parts[series[i].name] ?? i) % colours.length];
  const names = series.length > 1 || series[0].name in parts ? legend(series, colour) : [];
  const top = 26 + (names.length ? names[names.length - 1].y + line + 4 : 0), high = top + plot + bottom;
  const made = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img" });
  made.append(svg("text", { x: left, y: 16, class: "name" }, title));
  for (const { x, y, name, colour } of names) {
    made.append(svg("path", { d: `M${x} ${27 + y}h12`, stroke: colour, "stroke-width": 2.5 }));
    made.append(svg("text", { x: x + 16, y: 31 + y, class: "tick" }, name));
  }
  const all = series.flatMap((one) => one.ys.filter((y) => y !== null));
  const xs = series.flatMap((one) => one.xs);
  if (!all.length) return made;
  let low = all.reduce((a, b) => Math.min(a, b)), up = all.reduce((a, b) => Math.max(a, b));
  const log = low > 0 && up / low > 30;
  if (!log && low > 0 && low < 0.6 * up) low = 0;
  if (up === low) { const room = Math.abs(up) / 2 || 0.5; low -= room; up += room; }
  const scale = log ? Math.log10 : (y) => y;
  const from = xs.reduce((a, b) => Math.min(a, b)), to = Math.max(xs.reduce((a, b) => Math.max(a, b)), from + 1e-9);
  const px = (x) => left + (wide - left - right) * (x - from) / (to - from);
  const py = (y) => top + plot - plot * (scale(y) - scale(low)) / (scale(up) - scale(low));
  for (const value of log ? powers(low, up) : round(low, up, 4)) {
    made.append(svg("path", { d: `M${left} ${py(value)}H${wide - right}`, class: "grid" }));
    made.append(svg("text", { x: left - 6, y: py(value) + 4, "text-anchor": "end", class: "tick" }, short(value)));
  }
  for (const x of round(from, Math.max(to, from + 1), 6).filter((x) => Number.isInteger(x) && x <= to)) {
    made.append(svg("text", { x: px(x), y: high - 16, "text-anchor": "middle", class: "tick" }, short(x)));
  }
  made.append(svg("text", { x: (left + wide) / 2, y: high - 2, "text-anchor": "middle", class: "tick" }, "epoch"));
  series.forEach((one, i) => {
    const points = one.xs.map((x, k) => [x, one.ys[k]]).filter(([, y]) => y !== null && (!log || y > 0));
    if (points.length === 1) {
      made.append(svg("circle", { cx: px(points[0][0]), cy: py(points[0][1]), r: 3, fill: colour(i) }));
    } else if (points.length) {
      const d = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
      made.append(svg("polyline", { points: d, fill: "none", stroke: colour(i), "stroke-width": 1.6 }));
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
    row.className = "row charts";
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
