// Runs an ONNX file in onnxruntime-node: `node run_columns.js MODEL INPUTS.json OUTPUTS.json`.
//
// INPUTS  {"city": {"type": "string", "dims": [2], "data": ["Oslo", "Rom"]}, ...}
// OUTPUTS the same for what the model gives. Integers of 64 bits are texts, and so are "NaN" and "Infinity".

const fs = require("fs");
const ort = require("onnxruntime-node");

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array,
  bool: Uint8Array,
};

function tensor({ type, dims, data }) {
  if (type === "string") return new ort.Tensor("string", data, dims);
  const convert = type === "int64" ? BigInt : Number;
  return new ort.Tensor(type, ARRAYS[type].from(data.map(convert)), dims);
}

function plain({ type, dims, data }) {
  return { type, dims: dims.map(Number), data: Array.from(data, String) };
}

async function main([model, inputs, outputs]) {
  const session = await ort.InferenceSession.create(model);
  const given = JSON.parse(fs.readFileSync(inputs, "utf-8"));
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, tensor(given[name])]));
  const made = await session.run(feeds);
  const written = Object.fromEntries(Object.entries(made).map(([name, value]) => [name, plain(value)]));
  fs.writeFileSync(outputs, JSON.stringify(written));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
