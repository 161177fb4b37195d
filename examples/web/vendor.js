// Put what the page loads of onnxruntime-web into vendor/: `npm ci` does this. The page fetches nothing from elsewhere.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const from = join(here, "node_modules/onnxruntime-web");
const to = join(here, "vendor");
mkdirSync(to, { recursive: true });
for (const name of ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"])
  copyFileSync(join(from, "dist", name), join(to, name));
