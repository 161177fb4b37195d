// Train a model from an exported folder in Node, with onnxruntime-node alone (`npm install onnxruntime-node`); what it
// shares with the page of a browser lies in web/.
//
//     archonnx export digits_mlp -o digits --batch-size 64
//     node train_elsewhere.mjs digits data.safetensors trained.safetensors 2
//
// The data is a .safetensors file with an array for each field of the model, an example a row; the last argument is the
// number of epochs. docs/graphs.md says what is in graphs.json.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { Program, rows } from "./web/program.js";
import { read, write } from "./web/safetensors.js";

const { InferenceSession, Tensor } = createRequire(join(process.cwd(), "index.js"))("onnxruntime-node");

/** The program of a folder. */
function opened(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "graphs.json"), "utf8"));
  const stored = read(readFileSync(join(folder, manifest.weights))).tensors;
  return new Program(manifest, stored, Tensor, (file) => InferenceSession.create(join(folder, file)));
}

const [folder, data, output, epochs = "1"] = process.argv.slice(2);
const program = opened(folder);
const fields = read(readFileSync(data)).tensors;
const whole = new Set(program.settings.whole);
const counted = Object.keys(fields).filter((name) => !whole.has(name));
const count = fields[counted[0]].dims[0];
const size = program.settings.batch_size === "all" ? count : program.settings.batch_size;
for (let epoch = 1; epoch <= Number(epochs); epoch++) {
  let losses = {};
  for (let first = 0; first + size <= count; first += size) {
    const indices = Array.from({ length: size }, (_, i) => first + i);
    losses = await program.step({ ...fields, ...Object.fromEntries(counted.map((name) => [name, rows(fields[name], indices)])) });
  }
  console.log(`epoch ${epoch}: ${JSON.stringify(losses)}`);
}
writeFileSync(output, write(program.parameters));
