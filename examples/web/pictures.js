// What of a model is a picture, what its data looks like, and how strokes of a pen become such a picture.
// It knows no page: a picture is an array of numbers, a stroke a list of points between 0 and 1.

import { typed } from "./program.js";

const FEW = 500; // so many pictures say what all look like
const FINE = 8; // a pixel is looked at in so many places along each axis

/** The field with a picture, the target with its class, and the output with a number for each class; an error if there is none. */
export function task(manifest) {
  const { fields, graphs } = manifest;
  const infer = graphs.infer;
  if (infer === undefined) throw new Error(`${manifest.model} has no outputs, so there is nothing to tell of a drawing`);
  const inputs = Object.entries(infer.inputs).filter(([name]) => infer.roles[name] === "field");
  if (inputs.length !== 1) throw new Error(`${manifest.model} takes ${inputs.length} inputs, and this page draws one`);
  const [field, type] = inputs[0];
  const layout = layoutOf(type);
  if (layout === null) throw new Error(`the input ${field}: ${type} is not a picture: it should be [B, 64], [B, 8, 8] or [B, 1, 8, 8]`);
  const named = manifest.about.run?.classes ?? {};
  const outputs = Object.entries(infer.outputs).filter(([name, of]) => infer.roles[name] === "output" && countOf(of) > 1);
  const [output, of] = outputs.find(([name]) => name in named) ?? outputs[0] ?? [];
  if (output === undefined) throw new Error(`${manifest.model} has no output with a number for each class`);
  const classes = named[output] ?? Array.from({ length: countOf(of) }, (_, i) => String(i));
  const target = Object.keys(fields).find((name) => fields[name].target && /^i\d+\[\w+\]$/.test(fields[name].type));
  return { field, type, layout, output, classes, target };
}

function countOf(type) {
  const { dtype, dims } = typed(type);
  return dtype.startsWith("f") && dims.length === 2 && typeof dims[1] === "number" ? dims[1] : 0;
}

/** Where the pixels of a type lie: {channels, height, width, last}, last if channels come last; null if it is no picture. */
export function layoutOf(type) {
  const { dtype, dims } = typed(type);
  const sizes = dims.slice(1);
  if (dtype !== "f32" || sizes.some((size) => typeof size !== "number")) return null;
  if (sizes.length === 1) {
    const side = Math.sqrt(sizes[0]);
    return Number.isInteger(side) && side > 3 ? { channels: 1, height: side, width: side, last: false } : null;
  }
  if (sizes.length === 2) return { channels: 1, height: sizes[0], width: sizes[1], last: false };
  if (sizes.length !== 3) return null;
  const [a, b, c] = sizes;
  if ([1, 3].includes(a)) return { channels: a, height: b, width: c, last: false };
  return [1, 3].includes(c) ? { channels: c, height: a, width: b, last: true } : null;
}

/** The first channel of a picture, row by row. */
export function grey(picture, { channels, height, width, last }) {
  return last ? Float32Array.from({ length: height * width }, (_, i) => picture[i * channels]) : picture.subarray(0, height * width);
}

/**
 * What pictures look like: the numbers of paper and ink, how thick a stroke is (in pixels), and where what is drawn lies:
 * its middle and its longer side, as shares of the picture.
 */
export function lookOf({ data, dims }, layout) {
  const { height, width } = layout;
  const size = data.length / dims[0];
  const all = Array.from({ length: Math.min(dims[0], FEW) }, (_, i) => grey(data.subarray(i * size, (i + 1) * size), layout));
  let [low, high] = [Infinity, -Infinity];
  for (const one of all) for (const value of one) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(high > low)) return { paper: 0, ink: 1, thickness: width / 8, side: 0.8, x: 0.5, y: 0.5 };
  const corners = [0, width - 1, (height - 1) * width, height * width - 1];
  const dark = median(all.flatMap((one) => corners.map((at) => one[at]))) > (low + high) / 2;
  const [paper, ink] = dark ? [high, low] : [low, high];
  const found = all.map((one) => outlineOf(one.map((value) => (value - paper) / (ink - paper)), layout)).filter(Boolean);
  const middle = (key) => median(found.map((one) => one[key]));
  return { paper, ink, thickness: middle("thickness"), side: middle("side"), x: middle("x"), y: middle("y") };
}

/** Of what is drawn on one picture of numbers between 0 (paper) and 1 (ink); null of an empty one. */
function outlineOf(cover, { height, width }) {
  let [left, right, top, bottom, area, edge] = [width, -1, height, -1, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = cover[y * width + x];
      area += value;
      edge += Math.abs(value - (x ? cover[y * width + x - 1] : 0)) + Math.abs(value - (y ? cover[(y - 1) * width + x] : 0));
      if (x === width - 1) edge += value;
      if (y === height - 1) edge += value;
      if (value > 0.25) [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
  }
  if (right < 0) return null;
  const side = Math.max((right - left + 1) / width, (bottom - top + 1) / height);
  // A bar of a length and a thickness has the area length * thickness and, seen along both axes, 4 / pi times its rim.
  return { thickness: (2 * area) / ((edge * Math.PI) / 4), side, x: (left + right + 1) / 2 / width, y: (top + bottom + 1) / 2 / height };
}

function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

/**
 * The picture of strokes, as large and as thick as those of the data: what is drawn is moved to where theirs lie, and a
 * pixel takes as much ink as the pen covers of it.
 */
export function pictureOf(strokes, look, { channels, height, width, last }) {
  const points = strokes.flat();
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [wide, high] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const room = look.side * Math.min(height, width) - look.thickness;
  const scale = Math.min(room / Math.max(wide, high, 0.15), Math.min(height, width) * 2);
  const moved = strokes.map((stroke) =>
    stroke.map(([x, y]) => [look.x * width + (x - left - wide / 2) * scale, look.y * height + (y - top - high / 2) * scale]),
  );
  const cover = coverOf(moved, look.thickness / 2, height, width);
  const picture = new Float32Array(channels * height * width);
  for (let channel = 0; channel < channels; channel++)
    for (let i = 0; i < height * width; i++)
      picture[last ? i * channels + channel : channel * height * width + i] = look.paper + (look.ink - look.paper) * cover[i];
  return picture;
}

/** How much of each pixel a round pen of a radius covers that is led along lines through points (in pixels). */
function coverOf(strokes, radius, height, width) {
  const fine = height * width > 4096 ? 2 : FINE;
  const [rows, columns] = [height * fine, width * fine];
  const inked = new Uint8Array(rows * columns);
  for (const stroke of strokes) {
    for (let i = 0; i < Math.max(stroke.length - 1, 1); i++) {
      const [x0, y0] = stroke[i];
      const [x1, y1] = stroke[Math.min(i + 1, stroke.length - 1)];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length = dx * dx + dy * dy || 1;
      const from = (low) => Math.max(Math.floor((low - radius) * fine), 0);
      const to = (high, count) => Math.min(Math.ceil((high + radius) * fine), count);
      for (let row = from(Math.min(y0, y1)); row < to(Math.max(y0, y1), rows); row++) {
        for (let column = from(Math.min(x0, x1)); column < to(Math.max(x0, x1), columns); column++) {
          const [x, y] = [(column + 0.5) / fine - x0, (row + 0.5) / fine - y0];
          const along = Math.min(Math.max((x * dx + y * dy) / length, 0), 1);
          if ((x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius) inked[row * columns + column] = 1;
        }
      }
    }
  }
  const cover = new Float32Array(height * width);
  inked.forEach((ink, i) => {
    const [row, column] = [Math.floor(i / columns / fine), Math.floor((i % columns) / fine)];
    cover[row * width + column] += ink / (fine * fine);
  });
  return cover;
}
