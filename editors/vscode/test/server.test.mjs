// The server as VS Code's own library of the protocol talks to it; `ARCHONNX` says where `archonnx` is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import protocol from "vscode-languageserver-protocol/node";

const HERE = fileURLToPath(new URL("../../../.venv/bin/archonnx", import.meta.url));
const COMMAND = process.env.ARCHONNX ?? HERE;
const SPEC = 'model M():\n    input x: [B, 8]\n    output y = x |> Dens(4)\n';

test("the server answers VS Code's client", { skip: existsSync(COMMAND) ? false : `there is no ${COMMAND}` }, async () => {
  const server = spawn(COMMAND, ["lsp", "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
  const connection = protocol.createProtocolConnection(
    new protocol.StreamMessageReader(server.stdout),
    new protocol.StreamMessageWriter(server.stdin),
  );
  const found = new Promise((resolve) => {
    connection.onNotification("textDocument/publishDiagnostics", (params) => {
      if (params.diagnostics.some((one) => one.message.includes("Dense"))) resolve(params.diagnostics);
    });
  });
  connection.listen();
  const { capabilities } = await connection.sendRequest("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
  for (const answer of ["hover", "completion", "definition", "references", "rename", "signatureHelp", "inlayHint",
                        "semanticTokens", "documentFormatting", "codeAction", "documentSymbol"]) {
    assert.ok(capabilities[`${answer}Provider`], answer);
  }
  await connection.sendNotification("initialized", {});
  const textDocument = { uri: "untitled:Untitled-1", languageId: "archonnx", version: 1, text: SPEC };
  await connection.sendNotification("textDocument/didOpen", { textDocument });
  const [error] = await found;
  assert.equal(error.code, "AX0201");
  assert.deepEqual(error.range.start, { line: 2, character: 20 });
  const [fix] = await connection.sendRequest("textDocument/codeAction", {
    textDocument: { uri: textDocument.uri }, range: error.range, context: { diagnostics: [error] },
  });
  assert.equal(fix.edit.changes[textDocument.uri][0].newText, "Dense");
  await connection.sendRequest("shutdown");
  await connection.sendNotification("exit");
  assert.equal(await new Promise((resolve) => server.on("exit", resolve)), 0);
  connection.dispose();
});
