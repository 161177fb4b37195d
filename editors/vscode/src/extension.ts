// The client of the language server `archonnx lsp`: it starts the server, and hands it the files that are specs.
import { commands, ExtensionContext, window, workspace } from "vscode";
import { DocumentSelector, LanguageClient, ServerOptions } from "vscode-languageclient/node";

const INSTALL = "Install it with `pip install 'archonnx[lsp]'`, or set `archonnx.command` to where it is.";

let client: LanguageClient | undefined;

/** The files that are specs: those in the language, and of those in YAML the ones that the settings name. */
function selector(): DocumentSelector {
  const patterns = workspace.getConfiguration("archonnx").get<string[]>("yaml", []);
  return [
    { language: "archonnx", scheme: "file" },
    { language: "archonnx", scheme: "untitled" },
    ...patterns.map((pattern) => ({ language: "yaml", scheme: "file", pattern })),
  ];
}

async function start(): Promise<void> {
  const [command, ...args] = workspace.getConfiguration("archonnx").get<string[]>("command", ["archonnx", "lsp"]);
  const server: ServerOptions = { command, args };
  client = new LanguageClient("archonnx", "archonnx", server, { documentSelector: selector() });
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    void window.showErrorMessage(`archonnx: the server \`${command}\` does not start (${String(error)}). ${INSTALL}`);
  }
}

async function stop(): Promise<void> {
  const running = client;
  client = undefined;
  await running?.stop();
}

export async function activate(context: ExtensionContext): Promise<void> {
  const restart = async (): Promise<void> => {
    await stop();
    await start();
  };
  context.subscriptions.push(
    commands.registerCommand("archonnx.restart", restart),
    workspace.onDidChangeConfiguration((event) => (event.affectsConfiguration("archonnx") ? restart() : undefined)),
  );
  await start();
}

export const deactivate = stop;
