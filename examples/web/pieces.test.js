// What of the page needs no browser: `npm test`, or `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bounds, short, ticks } from "./chart.js";
import { grey, layoutOf, lookOf, pictureOf, task } from "./pictures.js";
import { Program, rows } from "./program.js";
import { read, write } from "./safetensors.js";

const near = (a, b, apart) => assert.ok(Math.abs(a - b) <= apart, `${a} is not near ${b}`);

test("a file holds what was written, at the places that it says", () => {
  const tensors = {
    "dense.W": { type: "float32", data: Float32Array.of(1.5, -0, 3e-40, 4, 5, 6), dims: [2, 3] },
    t: { type: "int64", data: BigInt64Array.of(-(2n ** 62n)), dims: [] },
    mask: { type: "bool", data: Uint8Array.of(1, 0, 1), dims: [3] },
    empty: { type: "float64", data: new Float64Array(0), dims: [0, 4] },
  };
  const file = write(tensors, { model: "Größe" });
  const found = read(file);
  assert.deepEqual(found.tensors, tensors);
  assert.deepEqual(found.metadata, { model: "Größe" });
  const [begin, end] = found.places["dense.W"];
  assert.deepEqual(new Float32Array(file.slice(begin, end).buffer), tensors["dense.W"].data);
  assert.equal(begin % 8, 0);
  const shifted = new Uint8Array(file.length + 3); // as a view of something larger
  shifted.set(file, 3);
  assert.deepEqual(read(shifted.subarray(3)).tensors, tensors);
});

test("a file that is none, or not whole, is refused", () => {
  const file = write({ a: { type: "float32", data: new Float32Array(4), dims: [4] } });
  for (let length = 0; length < file.length; length++) assert.throws(() => read(file.slice(0, length)), Error);
  assert.throws(() => read(new TextEncoder().encode("no weights at all")), /not a .safetensors file/);
});

test("types that are pictures, and where their pixels lie", () => {
  const at = (channels, height, width, last) => ({ channels, height, width, last });
  assert.deepEqual(layoutOf("f32[B, 64]"), at(1, 8, 8, false));
  assert.deepEqual(layoutOf("f32[B, 20, 30]"), at(1, 20, 30, false));
  assert.deepEqual(layoutOf("f32[B, 3, 32, 32]"), at(3, 32, 32, false));
  assert.deepEqual(layoutOf("f32[B, 28, 28, 1]"), at(1, 28, 28, true));
  for (const type of ["f32[B, 13]", "i64[B, 64]", "f32[B, T, 4]", "f32[B, 5, 8, 8]", "f32[B]"]) assert.equal(layoutOf(type), null, type);
  assert.deepEqual([...grey(Float32Array.of(1, 9, 9, 2, 9, 9), at(3, 1, 2, true))], [1, 2]);
});

test("a model that this page cannot draw for says why", () => {
  const infer = { inputs: { x: "f32[B, 8, 8]" }, outputs: { p: "f32[B, 10]" }, roles: { x: "field", p: "output" } };
  const made = (change) => ({ model: "M", about: {}, fields: { x: { type: "f32[B, 8, 8]", target: false }, y: { type: "i64[B]", target: true } }, graphs: { infer: { ...infer, ...change } } });
  const found = task(made({}));
  assert.deepEqual([found.field, found.output, found.target, found.classes.length], ["x", "p", "y", 10]);
  const named = { ...made({ outputs: { q: "f32[B, 3]", p: "f32[B, 2]" }, roles: { ...infer.roles, q: "output" } }), about: { run: { classes: { p: ["cat", "dog"] } } } };
  assert.deepEqual(task(named).classes, ["cat", "dog"]);
  assert.throws(() => task({ model: "M", graphs: {}, fields: {}, about: {} }), /no outputs/);
  assert.throws(() => task(made({ inputs: { x: "f32[B, 13]" } })), /not a picture/);
  assert.throws(() => task(made({ outputs: { p: "f32[B]" } })), /each class/);
});

/** Pictures of one horizontal bar each: where it begins, how long and how thick it is. */
function bars(paper, ink, left, long, thick) {
  const data = new Float32Array(4 * 20 * 20).fill(paper);
  for (let k = 0; k < 4; k++)
    for (let y = 0; y < thick; y++) for (let x = 0; x < long; x++) data[k * 400 + (6 + y) * 20 + left + x] = ink;
  return { data, dims: [4, 20, 20] };
}

test("the look of a bar is its own, and what is drawn gets it", () => {
  const layout = layoutOf("f32[B, 20, 20]");
  for (const [paper, ink] of [[0, 1], [255, 0], [-1, 2]]) {
    const look = lookOf(bars(paper, ink, 3, 14, 2), layout);
    assert.deepEqual([look.paper, look.ink, look.side], [paper, ink, 0.7]);
    near(look.x, 0.5, 1e-9);
    near(look.y, 7 / 20, 1e-9);
    near(look.thickness, (2 * 28) / (32 * (Math.PI / 4)), 1e-6);
    const drawn = pictureOf([[[0.1, 0.9], [0.4, 0.9]]], look, layout); // elsewhere and smaller
    const again = lookOf({ data: drawn, dims: [1, 20, 20] }, layout);
    near(again.x, look.x, 0.03);
    near(again.y, look.y, 0.03);
    near(again.side, look.side, 0.06);
    near(again.thickness, look.thickness, 0.35 * look.thickness);
  }
});

test("a dot and an empty picture do no harm", () => {
  const layout = layoutOf("f32[B, 64]");
  const look = lookOf({ data: new Float32Array(64), dims: [1, 64] }, layout);
  const dot = pictureOf([[[0.5, 0.5]]], look, layout);
  assert.ok(dot.every((one) => one >= 0 && one <= 1) && dot.some((one) => one > 0));
});

test("rows are those that are asked for", () => {
  const taken = rows({ type: "int64", data: BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n), dims: [3, 2] }, [2, 0]);
  assert.deepEqual(taken, { type: "int64", data: BigInt64Array.of(5n, 6n, 1n, 2n), dims: [2, 2] });
});

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

/** A folder whose only graph adds the batch to the parameter, and counts in a state. */
function counting(plan, accumulate = 1) {
  const graph = { file: "add", program: "", inputs: { x: "f32[1]", W: "f32[1]", n: "i64[]", step: "i64[]" }, roles: { W: "parameter", n: "state" }, carried: { "next/W": "W", "next/n": "n" }, losses: ["loss"], state: { n: 0 } };
  const manifest = { seed: 7, parameters: { W: { type: "f32[1]" } }, programs: { "": { accumulate, plan } }, graphs: { add: graph } };
  const steps = [];
  const session = {
    run: async ({ x, W, n, step }) => {
      steps.push(Number(step.data[0]));
      return { loss: new Tensor("float32", Float32Array.of(W.data[0]), []), "next/W": new Tensor("float32", Float32Array.of(W.data[0] + x.data[0]), [1]), "next/n": new Tensor("int64", BigInt64Array.of(n.data[0] + 1n), []) };
    },
  };
  const stored = { W: { type: "float32", data: Float32Array.of(0), dims: [1] } };
  return { program: new Program(manifest, stored, Tensor, async () => session), steps };
}

const batch = (value) => ({ x: { type: "float32", data: Float32Array.of(value), dims: [1] } });

test("a program does what its plan says, and carries what changes", async () => {
  const { program, steps } = counting([{ repeat: 2, do: [{ run: "add" }] }, { every: 2, do: [{ run: "add" }] }]);
  assert.deepEqual(await program.step(batch(1)), { loss: 1 });
  assert.deepEqual(await program.step(batch(10)), { loss: 22 });
  assert.deepEqual([program.parameters.W.data[0], program.own.add.n.data[0], steps], [32, 5n, [0, 1, 2, 3, 4]]);
});

test("a group of batches is gathered, and a state is gone on from", async () => {
  const { program } = counting([{ gather: "add" }], 2);
  assert.deepEqual(await program.step(batch(1)), {});
  await program.step(batch(2));
  const state = structuredClone(program.state());
  const { program: other, steps } = counting([{ gather: "add" }], 2);
  other.restore(state);
  for (const value of [3, 4]) await other.step(batch(value));
  assert.deepEqual([other.parameters.W.data[0], other.passes, steps], [10, 2, [2, 3]]);
});

test("weights that do not fit are refused, and nothing is taken", () => {
  const { program } = counting([]);
  assert.throws(() => program.take({}), /no weights for W/);
  assert.throws(() => program.take({ W: { type: "float32", data: new Float32Array(2), dims: [2] } }), /W is float32\[2\]/);
  assert.equal(program.parameters.W.data[0], 0);
});

test("axes have round numbers, and shares end at 1", () => {
  assert.deepEqual(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.78, 1), [0.8, 0.85, 0.9, 0.95, 1]);
  assert.deepEqual(ticks(0, 20), [0, 5, 10, 15, 20]);
  assert.deepEqual(bounds([0.8, 0.97, NaN])[1], 1);
  assert.deepEqual(bounds([2.3, 0.1])[0], 0);
  assert.ok(bounds([3, 3])[1] > 3 && bounds([-2, -1])[0] < -2);
  assert.deepEqual([short(0.12345), short(12345678), short(0)], ["0.123", "1.2e+7", "0"]);
});
