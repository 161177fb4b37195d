// Train a model from an exported folder in Node, with onnxruntime-node alone (`npm install onnxruntime-node`).
//
//     archonnx export digits_mlp -o digits --batch-size 64
//     node train_elsewhere.mjs digits data.safetensors trained.safetensors 2
//
// The data is a .safetensors file with an array for each field of the model, an example a row; the last argument is the
// number of epochs. docs/graphs.md says what is in graphs.json.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { InferenceSession, Tensor } = createRequire(join(process.cwd(), "index.js"))("onnxruntime-node");

/** By the name of a dtype in types: that of onnxruntime, that of safetensors, and the array that holds it. */
const DTYPES = {
  f32: ["float32", "F32", Float32Array],
  f64: ["float64", "F64", Float64Array],
  i64: ["int64", "I64", BigInt64Array],
  i32: ["int32", "I32", Int32Array],
  u8: ["uint8", "U8", Uint8Array],
  bool: ["bool", "BOOL", Uint8Array],
};

/** The tensors of a .safetensors file: eight bytes of length, a header in JSON, then the numbers. */
export function load(path) {
  const file = readFileSync(path);
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const tensors = {};
  for (const [name, entry] of Object.entries(JSON.parse(file.subarray(8, begin).toString()))) {
    if (name === "__metadata__") continue;
    const [type, , Numbers] = Object.values(DTYPES).find((one) => one[1] === entry.dtype);
    const bytes = Uint8Array.from(file.subarray(begin + entry.data_offsets[0], begin + entry.data_offsets[1]));
    tensors[name] = new Tensor(type, new Numbers(bytes.buffer), entry.shape);
  }
  return tensors;
}

/** Write such a file. */
export function save(path, tensors) {
  const header = {};
  const pieces = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    const dtype = Object.values(DTYPES).find((one) => one[0] === tensor.type)[1];
    header[name] = { dtype, shape: [...tensor.dims], data_offsets: [offset, offset + bytes.length] };
    pieces.push(bytes);
    offset += bytes.length;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  writeFileSync(path, Buffer.concat([length, Buffer.from(text), ...pieces]));
}

/** A tensor of one number, or full of it; the type is written as in `f32[3, 4]`. */
function full(type, value) {
  const [, dtype, shape] = type.match(/^(\w+)\[(.*)\]$/);
  const [name, , Numbers] = DTYPES[dtype];
  const dims = shape === "" ? [] : shape.split(", ").map(Number);
  const numbers = new Numbers(dims.reduce((product, size) => product * size, 1));
  return new Tensor(name, numbers.fill(dtype === "i64" ? BigInt(value) : value), dims);
}

/** One `train` block of an exported folder: `await step(batch)` is one pass over its statements. */
export class Program {
  constructor(folder, name = undefined) {
    this.folder = folder;
    this.manifest = JSON.parse(readFileSync(join(folder, "graphs.json"), "utf8"));
    const program = name ?? Object.keys(this.manifest.programs).at(-1);
    this.settings = this.manifest.programs[program];
    const graphs = Object.entries(this.manifest.graphs).filter(([, graph]) => graph.program === program);
    this.graphs = Object.fromEntries(graphs);
    const stored = load(join(folder, this.manifest.weights));
    this.parameters = Object.fromEntries(Object.keys(this.manifest.parameters).map((path) => [path, stored[path]]));
    [this.shared, this.own, this.sessions, this.rates, this.group] = [{}, {}, {}, {}, []];
    for (const [key, graph] of graphs) {
      this.own[key] = {};
      for (const [part, value] of Object.entries(graph.state ?? {})) {
        const home = graph.roles[part] === "state" ? this.own[key] : this.shared;
        home[part] = typeof value === "string" ? stored[value] : full(graph.inputs[part], value);
      }
    }
    this.seed = this.manifest.seed;
    this.executed = this.passes = 0;
  }

  /** One pass; the last value of each loss by name. */
  async step(batch) {
    this.group.push(batch);
    if (this.group.length < this.settings.accumulate) return {};
    const group = this.group.splice(0);
    this.passes += 1;
    return this.follow(this.settings.plan, group);
  }

  async follow(plan, group) {
    const losses = {};
    for (const item of plan) {
      if (item.run) Object.assign(losses, await this.run(item.run, group.at(-1)));
      else if (item.gather) for (const batch of group) Object.assign(losses, await this.run(item.gather, batch));
      else if (item.every) {
        if (this.passes % item.every === 0) Object.assign(losses, await this.follow(item.do, group));
      } else {
        for (let round = 0; round < item.repeat; round++) {
          if (item.while && !(await this.call(item.while, group.at(-1))).condition.data[0]) break;
          Object.assign(losses, await this.follow(item.do, group));
        }
      }
    }
    return losses;
  }

  /** Run a statement, and carry what it changes. */
  async run(name, batch) {
    const graph = this.graphs[name];
    const results = await this.call(name, batch);
    this.executed += 1;
    for (const [output, carried] of Object.entries(graph.carried)) {
      const homes = { state: this.own[name], gathered: this.shared };
      (homes[graph.roles[carried]] ?? this.parameters)[carried] = results[output];
    }
    return Object.fromEntries(graph.losses.map((loss) => [loss, results[loss].data[0]]));
  }

  async call(name, batch) {
    const graph = this.graphs[name];
    this.sessions[name] ??= await InferenceSession.create(join(this.folder, graph.file));
    const known = { ...batch, ...this.parameters, ...this.shared, ...this.own[name] };
    known.seed = full("i64[]", this.seed);
    known.step = full("i64[]", this.executed);
    for (const [part, value] of Object.entries(this.rates)) known[part] = full("f32[]", value);
    return this.sessions[name].run(Object.fromEntries(Object.keys(graph.inputs).map((part) => [part, known[part]])));
  }
}

/** Rows of a tensor. */
function rows(tensor, first, count) {
  const size = tensor.data.length / tensor.dims[0];
  return new Tensor(tensor.type, tensor.data.slice(first * size, (first + count) * size), [count, ...tensor.dims.slice(1)]);
}

async function main([folder, data, output, epochs = "1"]) {
  const program = new Program(folder);
  const fields = load(data);
  const whole = new Set(program.settings.whole);
  const counted = Object.keys(fields).filter((name) => !whole.has(name));
  const count = fields[counted[0]].dims[0];
  const size = program.settings.batch_size === "all" ? count : program.settings.batch_size;
  for (let epoch = 1; epoch <= Number(epochs); epoch++) {
    let losses = {};
    for (let first = 0; first + size <= count; first += size) {
      const cut = counted.map((name) => [name, rows(fields[name], first, size)]);
      losses = await program.step({ ...fields, ...Object.fromEntries(cut) });
    }
    console.log(`epoch ${epoch}: ${JSON.stringify(losses)}`);
  }
  save(output, program.parameters);
}

if (process.argv.length > 2) await main(process.argv.slice(2));
