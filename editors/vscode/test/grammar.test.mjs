import assert from "node:assert/strict";
import test from "node:test";
import { tokens } from "./tokens.mjs";

/** The words of a text with their scopes, without the name of the language behind. */
function coloured(text) {
  const lines = text.split("\n");
  return tokens(text).map(([line, start, end, scope]) => [lines[line].slice(start, end), scope.replace(/\.archonnx$/, "")]);
}

function has(text, ...wanted) {
  const found = coloured(text);
  for (const one of wanted) {
    assert.ok(found.some((token) => token[0] === one[0] && token[1] === one[1]), `${one} in ${JSON.stringify(found)}`);
  }
}

function lacks(text, word, scope) {
  assert.deepEqual(coloured(text).filter((token) => token[0] === word && token[1].startsWith(scope)), []);
}

test("declarations and their names", () => {
  has("block Dense(units: int)(x: [...S, n]) -> [...S, units]:", ["block", "keyword.declaration"], ["Dense", "entity.name.function"]);
  has("train:", ["train", "keyword.declaration"]);
  has("train pretrain of Net(n=3):", ["train", "keyword.declaration"], ["pretrain", "entity.name.function"], ["of", "keyword.declaration"], ["Net", "entity.name.type"]);
  has("train of Net:", ["of", "keyword.declaration"], ["Net", "entity.name.type"]);
  has("    backward(dy):", ["backward", "keyword.declaration"]);
  has('from "blocks.arch" import Gate', ["from", "keyword.control.import"], ['import', "keyword.control.import"]);
});

test("words of statements are soft", () => {
  has("    input x: f32[B, 8]", ["input", "keyword.control.statement"], ["f32", "storage.type.dtype"]);
  has("    minimize loss with adam(lr=1e-3)", ["minimize", "keyword.control.statement"], ["with", "keyword.control.clause"], ["lr", "variable.parameter"], ["1e-3", "constant.numeric"]);
  lacks("    loss = x + input", "loss", "keyword");
  lacks("    loss = x + input", "input", "keyword");
  lacks("    data = csv(\"a.csv\")", "data", "keyword");
  lacks("    y = model(x)", "model", "keyword");
});

test("values, operators and calls", () => {
  has("    h = x |> Dense(64, bias=false) |> relu", ["|>", "keyword.operator.pipe"], ["Dense", "entity.name.type"], ["bias", "variable.parameter"], ["false", "constant.language"], ["relu", "entity.name.function.call"]);
  has("    y = not a and b in [1, 2.5]", ["not", "keyword.operator.word"], ["in", "keyword.operator.word"], ["2.5", "constant.numeric"]);
  has("    größe = 𝛼(x)  # ein Wort", ["𝛼", "entity.name.function.call"], ["# ein Wort", "comment.line.number-sign"]);
});

test("texts hide what is in them, and end", () => {
  lacks('    assert n > 0, "for # no and"', "for", "keyword");
  lacks('    assert n > 0, "for # no and"', "# no and", "comment");
  has('    a = "never closed\n    for i in b:', ["for", "keyword.control"]);
  lacks('    """Of\n    for and in\n    """', "for", "keyword");
  has('    """Of\n    """\n    for i in b:', ["for", "keyword.control"]);
});
