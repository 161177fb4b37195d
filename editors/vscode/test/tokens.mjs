// What the grammar makes of texts, as an editor reads it: `node test/tokens.mjs FILE...` prints, for each file, its tokens
// as [line, start, end, scope], a JSON list on one line.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

const GRAMMAR = fileURLToPath(new URL("../syntaxes/archonnx.tmLanguage.json", import.meta.url));
const require = createRequire(import.meta.url);

await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);

const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(GRAMMAR, "utf8"), GRAMMAR),
});

const grammar = await registry.loadGrammar("source.archonnx");

/** The tokens of a text that have a scope of their own. */
export function tokens(text) {
  const found = [];
  let state = textmate.INITIAL;
  text.split("\n").forEach((line, number) => {
    const read = grammar.tokenizeLine(line, state);
    state = read.ruleStack;
    for (const { startIndex, endIndex, scopes } of read.tokens) {
      if (scopes.length > 1) found.push([number, startIndex, Math.min(endIndex, line.length), scopes.at(-1)]);
    }
  });
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of process.argv.slice(2)) console.log(JSON.stringify(tokens(readFileSync(file, "utf8"))));
}
