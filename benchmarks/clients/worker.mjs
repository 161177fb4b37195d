// Runs exported graphs in onnxruntime-node or -web, as worker.py does in other clients: `node worker.mjs FOLDER LABEL
// onnxruntime-web`. The latter is WebAssembly, in Node as in a browser.
//
// For each NAME.onnx it reads NAME.safetensors, with ROUND/INPUT, and NAME.json; it writes NAME.LABEL.safetensors, with
// ROUND/OUTPUT, or NAME.LABEL.txt.

import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { read, write } from "../../examples/web/safetensors.js";

const find = createRequire(join(process.cwd(), "index.js"));
const [folder, label, client = "onnxruntime-node"] = process.argv.slice(2);
const { InferenceSession, Tensor, env } = find(client);
const web = client === "onnxruntime-web";
if (web) env.wasm.numThreads = 1;

/** The outputs of each round: it is given what the one before it had, its own, and what is carried. */
async function rounds(session, given, count, carried) {
  const results = {};
  let feed = {};
  let made = {};
  for (let number = 0; number < count; number += 1) {
    for (const [name, tensor] of Object.entries(given)) {
      if (name.startsWith(`${number}/`)) feed[name.slice(name.indexOf("/") + 1)] = tensor;
    }
    if (number > 0) for (const [output, taken] of Object.entries(carried)) feed[taken] = made[output];
    made = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feed[name]])));
    for (const [name, tensor] of Object.entries(made)) results[`${number}/${name}`] = tensor;
  }
  return results;
}

async function main() {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const base = join(folder, file.slice(0, -".json".length));
    const [made, failed] = [`${base}.${label}.safetensors`, `${base}.${label}.txt`];
    if (existsSync(made) || existsSync(failed)) continue;
    writeFileSync(failed, "the client died");
    const about = JSON.parse(readFileSync(`${base}.json`, "utf8"));
    try {
      const model = web ? new Uint8Array(readFileSync(`${base}.onnx`)) : `${base}.onnx`;
      const session = await InferenceSession.create(model, { intraOpNumThreads: 2, logSeverityLevel: 4 });
      const stored = Object.entries(read(readFileSync(`${base}.safetensors`)).tensors);
      const given = stored.map(([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]);
      writeFileSync(made, write(await rounds(session, Object.fromEntries(given), about.rounds, about.carried)));
      unlinkSync(failed);
    } catch (error) {
      writeFileSync(failed, String(error).slice(0, 2000));
    }
  }
  console.log(env.versions.common);
}

await main();
