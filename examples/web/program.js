// One `train` block of an exported folder: `await step(batch)` is one pass over its statements. It needs an onnxruntime,
// that of Node or that of browsers, and somebody who opens the folder's files; docs/graphs.md says what is in graphs.json.

const DTYPES = {
  f32: ["float32", Float32Array],
  f64: ["float64", Float64Array],
  i64: ["int64", BigInt64Array],
  i32: ["int32", Int32Array],
  u8: ["uint8", Uint8Array],
  bool: ["bool", Uint8Array],
};

/** Dtype and dims of a type that is written as in `f32[B, 4]`; a dim that is no number is left as it is. */
export function typed(type) {
  const [, dtype, shape] = type.match(/^(\w+)\[(.*)\]$/);
  return { dtype, dims: shape === "" ? [] : shape.split(", ").map((dim) => (/^\d+$/.test(dim) ? Number(dim) : dim)) };
}

/** Rows of a tensor ({type, data, dims}): those of the given numbers. */
export function rows({ type, data, dims }, indices) {
  const size = data.length / dims[0];
  const taken = new data.constructor(indices.length * size);
  indices.forEach((index, i) => taken.set(data.subarray(index * size, (index + 1) * size), i * size));
  return { type, data: taken, dims: [indices.length, ...dims.slice(1)] };
}

/** A tensor full of one number. */
function full(type, value) {
  const { dtype, dims } = typed(type);
  const [name, Numbers] = DTYPES[dtype];
  const numbers = new Numbers(dims.reduce((product, size) => product * size, 1));
  return { type: name, data: numbers.fill(dtype === "i64" ? BigInt(value) : value), dims };
}

export class Program {
  /**
   * manifest: what graphs.json says; stored: the tensors of its file of weights; Tensor: that of the onnxruntime;
   * open: gives a session for the name of a file; name: which block, the last one unless given.
   */
  constructor(manifest, stored, Tensor, open, name = undefined) {
    this.manifest = manifest;
    this.Tensor = Tensor;
    this.open = open;
    const program = name ?? Object.keys(manifest.programs).at(-1);
    this.settings = manifest.programs[program];
    const graphs = Object.entries(manifest.graphs).filter(([, graph]) => graph.program === program);
    this.graphs = Object.fromEntries(graphs);
    const held = (tensor) => this.tensor(tensor);
    this.parameters = Object.fromEntries(Object.keys(manifest.parameters).map((path) => [path, held(stored[path])]));
    [this.shared, this.own, this.sessions, this.rates, this.group] = [{}, {}, {}, {}, []];
    for (const [key, graph] of graphs) {
      this.own[key] = {};
      for (const [part, value] of Object.entries(graph.state ?? {})) {
        const home = graph.roles[part] === "state" ? this.own[key] : this.shared;
        home[part] = held(typeof value === "string" ? stored[value] : full(graph.inputs[part], value));
      }
    }
    this.seed = manifest.seed;
    this.executed = this.passes = 0;
  }

  tensor({ type, data, dims }) {
    return new this.Tensor(type, data, dims);
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

  /** What a graph of the folder gives for a batch, with the present weights. */
  async call(name, batch) {
    const graph = this.manifest.graphs[name];
    this.sessions[name] ??= await this.open(graph.file);
    const fields = Object.entries(batch).map(([field, one]) => [field, this.tensor(one)]);
    const known = { ...Object.fromEntries(fields), ...this.parameters, ...this.shared, ...this.own[name] };
    known.seed = this.tensor(full("i64[]", this.seed));
    known.step = this.tensor(full("i64[]", this.executed));
    for (const [part, value] of Object.entries(this.rates)) known[part] = this.tensor(full("f32[]", value));
    return this.sessions[name].run(Object.fromEntries(Object.keys(graph.inputs).map((part) => [part, known[part]])));
  }

  /** All that it takes to go on, as plain data. */
  state() {
    const plain = (tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, { type, data, dims }]) => [name, { type, data, dims: [...dims] }]));
    const own = Object.fromEntries(Object.entries(this.own).map(([name, tensors]) => [name, plain(tensors)]));
    const { executed, passes } = this;
    return { parameters: plain(this.parameters), shared: plain(this.shared), own, executed, passes };
  }

  /** Go on from there. */
  restore({ parameters, shared, own, executed, passes }) {
    const held = (tensors) => Object.fromEntries(Object.entries(tensors).map(([name, one]) => [name, this.tensor(one)]));
    [this.parameters, this.shared, this.executed, this.passes] = [held(parameters), held(shared), executed, passes];
    this.own = Object.fromEntries(Object.entries(own).map(([name, tensors]) => [name, held(tensors)]));
    this.group = [];
  }

  /** Take other weights; an error says which of them do not fit, and then nothing is taken. */
  take(tensors) {
    for (const [path, { type }] of Object.entries(this.manifest.parameters)) {
      const { dtype, dims } = typed(type);
      const given = tensors[path];
      if (given === undefined) throw new Error(`the file has no weights for ${path}: ${type}`);
      if (given.type !== DTYPES[dtype][0] || given.dims.join() !== dims.join())
        throw new Error(`${path} is ${given.type}[${given.dims.join(", ")}] in the file, and ${type} in the model`);
    }
    for (const path of Object.keys(this.manifest.parameters)) this.parameters[path] = this.tensor(tensors[path]);
  }
}
