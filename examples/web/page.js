// The page: it asks the worker, which computes, and shows what it answers. All that it knows of the model is in graphs.json.

import { draw } from "./chart.js";
import { grey, lookOf, pictureOf, task } from "./pictures.js";
import { rows } from "./program.js";
import { drop, keep, kept } from "./store.js";

const SHOWN = 10; // so many held-out pictures, and so many classes where there are many
const $ = (id) => document.getElementById(id);
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let asks = 0; // so many were asked

let model; // what graphs.json says
let key; // under which name the browser keeps what was trained
let text; // of graphs.json: what was kept belongs to no other
let field, layout, output, classes, target; // of the model: its picture, its classes
let look; // what the pictures of the data look like
let heldOut; // fields
let epochs = []; // what was told of each: {losses, measured, seconds}
let state = null; // all that it takes to go on; null while the weights are those of the folder
let training = false;
let strokes = []; // of the pad
let picture = null; // what is classified

// ---------------------------------------------------------------- the worker

function ask(name, given = {}) {
  const id = ++asks;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, ask: name, ...given });
  });
}

worker.addEventListener("message", ({ data }) => {
  if (data.told === "step") showStep(data);
  else if (data.told === "epoch") endEpoch(data);
  else {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if ("failed" in data) reject(new Error(data.failed));
    else resolve(data.done);
  }
});
worker.addEventListener("error", (event) => fail(new Error(event.message || "the worker of this page could not be started")));

// ---------------------------------------------------------------- opening

async function open() {
  const folder = new URLSearchParams(location.search).get("folder") ?? "model";
  const address = new URL(`${folder}/`, location.href);
  if (address.origin !== location.origin) throw new Error("the folder has to be beside this page");
  key = address.href;
  let opened;
  try {
    opened = await ask("open", { address: address.href });
  } catch (error) {
    if (error.message.startsWith("graphs.json is not"))
      throw new Error(`no exported model is at ${address.pathname}: write one by archonnx export SPEC -o FOLDER`, { cause: error });
    throw error;
  }
  model = opened.manifest;
  text = opened.text;
  heldOut = opened.heldOut;
  ({ field, layout, output, classes, target } = task(model));
  look = opened.train ? lookOf(opened.train[field], layout) : { paper: 0, ink: 1, thickness: layout.width / 8, side: 0.8, x: 0.5, y: 0.5 };
  describe(opened);
  await goOn();
  showExamples();
  showAll();
  $("opening").hidden = true;
  document.querySelector("main").hidden = false;
  new ResizeObserver(showCurves).observe($("losses"));
}

function describe({ withoutData, version, train }) {
  const sizes = Object.values(model.parameters).map(({ type }) => product(type));
  const count = sizes.reduce((sum, size) => sum + size, 0).toLocaleString("en");
  document.title = `${model.model} in your browser`;
  $("name").textContent = model.model;
  const examples = train ? `, ${train[field].dims[0].toLocaleString("en")} examples to train on` : "";
  $("about").textContent = `${count} parameters${examples}. It trains and answers on this device; nothing is sent anywhere.`;
  $("versions").textContent = `${model.about.spec.name}, exported by archonnx ${model.archonnx}; run by onnxruntime-web ${version}.`;
  $("epochs").value = Math.max(Object.values(model.programs).at(-1).epochs, 1);
  $("seen").width = layout.width;
  $("seen").height = layout.height;
  const [spec, file] = [model.about.spec.name, fileName()];
  const run = `runs/${spec}-browser`;
  $("commands").textContent = [
    `archonnx train ${spec} --from ${file} --set epochs=0 --out ${run}`,
    `archonnx eval ${run}`,
    `archonnx export ${run} -o ${spec}.onnx`,
  ].join("\n");
  if (withoutData) {
    for (const id of ["train", "epochs"]) $(id).disabled = true;
    $("progress").textContent = `There is no data to train on: ${withoutData}. data.py writes it.`;
  }
}

function product(type) {
  return type.match(/\[(.*)\]/)[1].split(", ").filter(Boolean).reduce((size, dim) => size * Number(dim), 1);
}

const fileName = () => `${model.about.spec.name}.safetensors`;

/** Take up what the browser has kept, if it belongs to this folder as it is now. */
async function goOn() {
  try {
    const found = await kept(key);
    if (found === undefined) return say("kept", "What is trained here is kept in this browser.");
    if (found.text !== text) return say("kept", "The model was exported anew; what was trained before is not of this one.");
    await ask("restore", { state: found.state });
    [epochs, state] = [found.epochs, found.state];
    say("kept", `Kept in this browser, and taken up again: ${epochs.length} epochs.`);
  } catch (error) {
    say("kept", `This browser keeps nothing (${error.message}): save the weights as a file.`);
  }
}

async function keepNow() {
  try {
    await keep(key, { text, epochs, state });
    say("kept", `Kept in this browser: ${epochs.length} epochs.`);
  } catch (error) {
    say("kept", `This browser keeps nothing (${error.message}): save the weights as a file.`);
  }
}

// ---------------------------------------------------------------- training

$("controls").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (training) {
    $("train").disabled = true;
    worker.postMessage({ ask: "stop" });
    return;
  }
  const wanted = Number($("epochs").value);
  const first = epochs.length + 1;
  setTraining(true, first + wanted - 1);
  try {
    state = await ask("train", { epochs: wanted, first });
  } catch (error) {
    fail(error);
  }
  setTraining(false);
  await keepNow();
  await classify();
});

let until = null; // the last epoch of the training that is under way or was the last

function setTraining(on, last = null) {
  training = on;
  until = last;
  $("failed").hidden = true;
  $("train").textContent = on ? "Stop" : epochs.length ? "Train on" : "Train";
  $("train").disabled = false;
  for (const id of ["epochs", "anew", "open"]) $(id).disabled = on;
  showAll();
}

function showStep({ epoch, share }) {
  $("within").value = share;
  if (epoch === 1) say("progress", `epoch 1 of ${until} …`);
}

function endEpoch({ losses, measured, seconds, state: now }) {
  epochs.push({ losses, measured, seconds });
  state = now;
  showAll();
  keepNow();
  classify();
}

function showAll() {
  const seconds = epochs.reduce((sum, one) => sum + one.seconds, 0);
  const last = epochs.at(-1);
  $("within").value = 0;
  $("anew").disabled = training || state === null;
  if (last) {
    const metric = Object.entries(last.measured).find(([, { role }]) => role === "metric");
    const figure = metric ? `, ${metric[0].replaceAll("_", " ")} ${shown(metric[1].value)} on what is held out` : "";
    say("progress", `${training ? `epoch ${epochs.length} of ${until}` : `${epochs.length} epochs`} in ${seconds.toFixed(1)} s${figure}`);
  } else if (!$("train").disabled) say("progress", training ? `epoch 1 of ${until} …` : state ? "Not trained here since the file was opened." : "Not trained here yet.");
  showCurves();
}

const shown = (value) => (value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)} %` : value.toPrecision(4));

function showCurves() {
  const [loss] = Object.entries(epochs.at(-1)?.losses ?? {})[0] ?? [Object.values(model.graphs).find((one) => one.losses)?.losses[0]];
  const evaluate = model.graphs.evaluate ?? { outputs: {}, roles: {} };
  const metric = Object.keys(evaluate.outputs).find((name) => evaluate.roles[name] === "metric");
  const points = (value) => epochs.map((one, i) => [i + 1, value(one) ?? NaN]);
  const held = points((one) => one.measured[loss]?.value);
  const last = Math.max(until ?? (epochs.length || Number($("epochs").value)), epochs.length, 1);
  $("losses").querySelector(".title").textContent = loss.replaceAll("_", " ");
  draw($("losses"), [{ name: "train", points: points((one) => one.losses[loss]) }, { name: "held out", points: held }], last);
  $("metrics").hidden = metric === undefined;
  if (metric === undefined) return;
  $("metrics").querySelector(".title").textContent = metric.replaceAll("_", " ");
  draw($("metrics"), [{ name: "", points: [] }, { name: "held out", points: points((one) => one.measured[metric]?.value) }], last);
}

$("epochs").addEventListener("input", showCurves);

$("anew").addEventListener("click", async () => {
  try {
    await ask("forget");
    [epochs, state] = [[], null];
    await drop(key);
    say("kept", "What was kept in this browser is gone; the weights are those of the folder.");
  } catch (error) {
    fail(error);
  }
  setTraining(false);
  await classify();
});

// ---------------------------------------------------------------- drawing

const pad = $("pad");
let drawing = null; // the stroke under way: its points, its line

function place(event) {
  const box = pad.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

pad.addEventListener("pointerdown", (event) => {
  if (drawing || event.button !== 0) return;
  event.preventDefault();
  pad.setPointerCapture(event.pointerId);
  if (!strokes.length) pad.replaceChildren();
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("stroke-width", Math.min((0.8 * look.thickness) / layout.width, 0.15));
  pad.append(line);
  drawing = { points: [], line };
  strokes.push(drawing.points);
  follow(event);
});
pad.addEventListener("pointermove", (event) => drawing && follow(event));
for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => (drawing = null));

function follow(event) {
  for (const one of event.getCoalescedEvents?.() ?? []) drawing.points.push(place(one));
  drawing.points.push(place(event));
  const points = drawing.points.length > 1 ? drawing.points : [drawing.points[0], drawing.points[0]];
  drawing.line.setAttribute("points", points.map((point) => point.join()).join(" "));
  lookAt(pictureOf(strokes, look, layout));
}

$("clear").addEventListener("click", () => {
  [strokes, picture] = [[], null];
  pad.replaceChildren();
  $("clear").disabled = true;
  $("seen").getContext("2d").clearRect(0, 0, layout.width, layout.height);
  $("bars").replaceChildren();
  say("answer", "Draw something, or take a picture below.");
});

function lookAt(one) {
  picture = one;
  $("clear").disabled = false;
  paint($("seen"), one);
  classify();
}

/** Paint a picture of the model into a canvas, in grey or in colour. */
function paint(canvas, one) {
  const { channels, height, width, last } = layout;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const [low, high] = [Math.min(look.paper, look.ink), Math.max(look.paper, look.ink)];
  for (let i = 0; i < height * width; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const of = Math.min(channel, channels - 1);
      image.data[4 * i + channel] = (255 * (one[last ? i * channels + of : of * height * width + i] - low)) / (high - low);
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function showExamples() {
  if (heldOut === undefined) return;
  const { dims } = heldOut[field];
  const size = heldOut[field].data.length / dims[0];
  for (let index = 0; index < Math.min(SHOWN, dims[0]); index++) {
    const one = heldOut[field].data.slice(index * size, (index + 1) * size);
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const label = target === undefined ? undefined : Number(rows(heldOut[target], [index]).data[0]);
    [canvas.width, canvas.height] = [layout.width, layout.height];
    button.type = "button";
    button.setAttribute("aria-label", label === undefined ? `picture ${index + 1}` : `a picture of ${classes[label]}`);
    paint(canvas, one);
    button.append(canvas);
    button.addEventListener("click", () => {
      strokes = [];
      const image = document.createElementNS("http://www.w3.org/2000/svg", "image");
      for (const [name, value] of Object.entries({ href: canvas.toDataURL(), width: 1, height: 1 })) image.setAttribute(name, value);
      pad.replaceChildren(image);
      lookAt(one);
    });
    $("examples").querySelector(".pictures").append(button);
  }
  $("examples").hidden = false;
}

// ---------------------------------------------------------------- answering

let asked = false; // whether a picture is being classified
let again = false; // whether there is another one since

async function classify() {
  if (picture === null) return;
  again = asked;
  if (asked) return;
  asked = true;
  $("bars").setAttribute("aria-busy", "true");
  try {
    const dims = [1, ...model.graphs.infer.inputs[field].match(/\[(.*)\]/)[1].split(", ").slice(1).map(Number)];
    const results = await ask("infer", { field, picture: { type: "float32", data: picture, dims } });
    if (picture !== null) showAnswer(shares(Array.from(results[output].data)));
  } catch (error) {
    fail(error);
  }
  asked = false;
  if (again) classify();
  else $("bars").removeAttribute("aria-busy");
}

/** Numbers of classes as shares of 1: as they are, if they are, else by softmax. */
function shares(numbers) {
  const sum = numbers.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-3 && numbers.every((one) => one >= 0)) return numbers;
  const high = Math.max(...numbers);
  const powers = numbers.map((one) => Math.exp(one - high));
  const all = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / all);
}

function showAnswer(found) {
  const most = found.indexOf(Math.max(...found));
  const order = found.map((_, i) => i);
  if (found.length > SHOWN + 2) order.sort((a, b) => found[b] - found[a]).splice(SHOWN);
  const bars = order.map((i) => {
    const line = document.createElement("li");
    if (i === most) line.className = "most";
    const [name, track, bar, share] = ["class", "track", "bar", "share"].map((kind) => {
      const element = document.createElement("span");
      element.className = kind;
      return element;
    });
    [name.textContent, share.textContent] = [classes[i], `${(100 * found[i]).toFixed(found[i] < 0.0995 ? 1 : 0)} %`];
    bar.style.width = `${100 * found[i]}%`;
    track.append(bar);
    line.append(name, track, share);
    return line;
  });
  $("bars").replaceChildren(...bars);
  const strong = document.createElement("strong");
  strong.textContent = classes[most];
  const untrained = state === null && model.about.run === undefined;
  $("answer").replaceChildren("This looks like ", strong, untrained ? ", says a model that has not been trained." : ".");
}

// ---------------------------------------------------------------- files

$("save").addEventListener("click", async () => {
  try {
    const bytes = await ask("file");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = fileName();
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    fail(error);
  }
});
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (file === undefined) return;
  try {
    state = await ask("take", { bytes: new Uint8Array(await file.arrayBuffer()) });
    epochs = [];
    setTraining(false);
    await keepNow();
    say("kept", `Opened ${file.name}, and kept in this browser.`);
    await classify();
  } catch (error) {
    fail(new Error(`${file.name}: ${error.message}`));
  }
  $("file").value = "";
});

// ---------------------------------------------------------------- telling

function say(id, words) {
  $(id).textContent = words;
}

function fail(error) {
  const words = document.createElement("p");
  words.textContent = `${error.message}.`.replace(/\.\.$/, ".");
  $("failed").replaceChildren(words);
  $("failed").hidden = false;
  $("opening").hidden = true;
}

open().catch(fail);
