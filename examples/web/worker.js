// The onnxruntime of the page, beside it, so that the page answers while a step is computed. It is asked by messages
// {id, ask, ...} and answers each by {id, done} or {id, failed}; while it trains it tells {told: "epoch", ...}.

import { Program, rows, typed } from "./program.js";
import { read, write } from "./safetensors.js";

const PART = 2000; // so many held-out examples are measured at most
const TURN = 40; // milliseconds after which messages are looked at

let ort; // onnxruntime-web
let folder; // address of the exported folder
let manifest;
let weights; // its file of weights, as it lies there
let program;
let classifier = null; // the session of infer with the present weights; null once they have changed
let data = {}; // fields of the parts: train, held_out
let stopping = false;

async function fetched(name) {
  const answer = await fetch(new URL(name, folder));
  if (!answer.ok) throw new Error(`${name} is not in the folder (${answer.status} at ${answer.url})`);
  return answer;
}

async function bytesOf(name) {
  return new Uint8Array(await (await fetched(name)).arrayBuffer());
}

async function session(file, options = {}) {
  return ort.InferenceSession.create(await bytesOf(file), { executionProviders: ["wasm"], ...options });
}

const asks = {
  /** Load onnxruntime, the folder and its data; what graphs.json says, and the data's held-out part. */
  async open({ address }) {
    folder = address;
    try {
      ort = await import("./vendor/ort.wasm.min.mjs");
    } catch {
      throw new Error("onnxruntime-web is not there: run `npm ci` in the folder of this page");
    }
    ort.env.wasm.numThreads = 1; // more would need a server that isolates the page
    ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
    ort.env.logLevel = "error";
    const text = await (await fetched("graphs.json")).text();
    try {
      manifest = JSON.parse(text);
    } catch {
      throw new Error("graphs.json cannot be read: it is not JSON");
    }
    if (manifest.format !== 2) throw new Error(`graphs.json has the format ${manifest.format}, and this page reads 2`);
    if (!Object.keys(manifest.programs).length) throw new Error(`${manifest.model} has no train block, so that nothing can be trained`);
    weights = await bytesOf(manifest.weights);
    asks.forget();
    try {
      for (const part of ["train", "held_out"]) data[part] = read(await bytesOf(`${part}.safetensors`)).tensors;
    } catch (error) {
      data = { reason: error.message };
    }
    return { manifest, text, train: data.train, heldOut: data.held_out, withoutData: data.reason, version: ort.env.versions.web };
  },

  /** Begin anew: the weights of the folder. */
  forget() {
    program = new Program(manifest, read(weights).tensors, ort.Tensor, session);
    classifier = null;
  },

  async restore({ state }) {
    program.restore(state);
    classifier = null;
  },

  /** Begin anew with the weights of a file; all that it takes to go on. If they do not fit, all stays as it was. */
  async take({ bytes }) {
    const other = new Program(manifest, read(weights).tensors, ort.Tensor, session);
    other.take(read(bytes).tensors);
    program = other;
    classifier = null;
    return program.state();
  },

  /** The present weights as a file. */
  async file() {
    const { parameters, passes } = program;
    return write(parameters, { model: manifest.model, passes: String(passes) });
  },

  /** What the outputs are for some pictures, by name. */
  async infer({ field, picture }) {
    classifier ??= await classifierNow();
    const results = await classifier.run({ [field]: program.tensor(picture) });
    return Object.fromEntries(Object.entries(results).map(([name, { data, dims }]) => [name, { data, dims: [...dims] }]));
  },

  /** Train so many epochs, or until `stop`; each is told, with all that it takes to go on, which is the answer as well. */
  async train({ epochs, first }) {
    stopping = false;
    for (let epoch = first; epoch < first + epochs && !stopping; epoch++) {
      const [began, before] = [performance.now(), program.state()];
      try {
        const losses = await trainEpoch(epoch);
        if (losses === null) break;
        const seconds = (performance.now() - began) / 1000;
        postMessage({ told: "epoch", epoch, losses, measured: await asks.measure(), seconds, state: program.state() });
      } catch (error) {
        program.restore(before);
        throw error;
      } finally {
        classifier = null;
      }
    }
    return program.state();
  },

  stop() {
    stopping = true;
  },

  /** Losses and metrics on the held-out part, as `evaluate` gives them. */
  async measure() {
    const graph = manifest.graphs.evaluate;
    if (graph === undefined || data.held_out === undefined) return {};
    const batch = some(data.held_out, Array.from({ length: Math.min(countOf(data.held_out), PART) }, (_, i) => i));
    const results = await program.call("evaluate", batch);
    const figures = Object.keys(graph.outputs).filter((name) => ["loss", "metric"].includes(graph.roles[name]));
    return Object.fromEntries(figures.map((name) => [name, { value: Number(results[name].data[0]), role: graph.roles[name] }]));
  },
};

/** A session of `infer` over the present weights: its file names parts of the file of weights, which is written anew. */
async function classifierNow() {
  const present = weights.slice();
  for (const [path, [begin]] of Object.entries(read(weights).places)) {
    const tensor = program.parameters[path];
    if (tensor) present.set(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength), begin);
  }
  return session(manifest.graphs.infer.file, { externalData: [{ path: manifest.weights, data: present }] });
}

/** The means of the losses over an epoch; null if somebody asked to stop within it. */
async function trainEpoch(epoch) {
  const count = countOf(data.train);
  const { batch_size: asked } = program.settings;
  const size = asked === "all" ? count : asked;
  const order = shuffled(count, program.seed + epoch);
  const sums = {};
  let looked = performance.now();
  let steps = 0;
  for (let first = 0; first < count; first += size) {
    const indices = order.slice(first, first + size);
    if (indices.length < size && fixed()) break;
    const losses = await program.step(some(data.train, indices));
    for (const [name, value] of Object.entries(losses)) {
      if (!Number.isFinite(value)) throw new Error(`${name} is no longer finite (${value}) in epoch ${epoch}: the weights are those from before it`);
      sums[name] = (sums[name] ?? 0) + value;
    }
    steps += 1;
    if (performance.now() - looked > TURN) {
      postMessage({ told: "step", epoch, share: Math.min((first + size) / count, 1) });
      await new Promise((resolve) => setTimeout(resolve));
      looked = performance.now();
      if (stopping) return null;
    }
  }
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps]));
}

/** Whether the training steps take batches of one size only. */
function fixed() {
  const whole = new Set(program.settings.whole);
  const types = Object.values(program.graphs).flatMap(({ inputs, roles }) =>
    Object.entries(inputs).filter(([name]) => roles[name] === "field" && !whole.has(name)),
  );
  return types.some(([, type]) => typeof typed(type).dims[0] === "number");
}

/** Those rows of all fields that are counted. */
function some(fields, indices) {
  const whole = new Set(program.settings.whole);
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, whole.has(name) ? field : rows(field, indices)]));
}

function countOf(fields) {
  const whole = new Set(program.settings.whole);
  return Object.entries(fields).find(([name]) => !whole.has(name))[1].dims[0];
}

/** The numbers below a count in an order that a seed decides (mulberry32). */
function shuffled(count, seed) {
  const order = Array.from({ length: count }, (_, i) => i);
  let state = seed >>> 0;
  for (let i = count - 1; i > 0; i--) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const j = Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

addEventListener("message", async ({ data: { id, ask, ...given } }) => {
  try {
    const done = await asks[ask](given);
    if (id !== undefined) postMessage({ id, done });
  } catch (error) {
    const failed = /wasm|WebAssembly|backend/i.test(error.message) ? `onnxruntime-web could not be started: ${error.message}` : error.message;
    postMessage({ id, failed });
  }
});
