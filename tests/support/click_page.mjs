// Click through examples/web as somebody would: train, draw, reload, save; what was seen is printed as JSON.
//
//     node click_page.mjs ADDRESS OUT [SCREENSHOTS]

import { createRequire } from "node:module";
import { join } from "node:path";

const [address, out, pictures] = process.argv.slice(2);
const { chromium } = createRequire(join(process.env.WEB_EXAMPLE, "index.js"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"], // a container's root
});
const context = await browser.newContext({ viewport: { width: 1120, height: 800 }, acceptDownloads: true });
const page = await context.newPage();
const foreign = [];
const wrong = [];
page.on("request", (request) => new URL(request.url()).origin !== new URL(address).origin && !/^(data|blob):/.test(request.url()) && foreign.push(request.url()));
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));

/** Led through points (shares of the pad), the button is pressed. */
async function stroke(points) {
  const box = await page.locator("#pad").boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points) await page.mouse.move(...at(point), { steps: 5 });
  await page.mouse.up();
}

/** What the bars say, by class. */
async function bars() {
  await page.locator("#bars:not([aria-busy])").waitFor({ state: "attached" });
  const texts = await page.locator("#bars li").evaluateAll((lines) => lines.map((line) => [...line.children].map((one) => one.textContent)));
  return Object.fromEntries(texts.map(([name, , share]) => [name, parseFloat(share)]));
}

const SEVEN = [[[0.25, 0.2], [0.75, 0.2], [0.45, 0.85]]];
const circle = Array.from({ length: 25 }, (_, i) => [0.5 + 0.22 * Math.cos((i * Math.PI) / 12), 0.5 + 0.32 * Math.sin((i * Math.PI) / 12)]);
const seen = {};
await page.goto(address);
await page.locator("main").waitFor({ state: "visible" });
await page.locator("#epochs").fill(process.env.EPOCHS ?? "20");
const began = Date.now();
await page.locator("#train").click();
await page.getByRole("button", { name: "Train on" }).waitFor({ timeout: 300_000 });
seen.seconds = (Date.now() - began) / 1000;
seen.progress = await page.locator("#progress").textContent();
seen.curve = await page.locator("#metrics polyline").getAttribute("points");

await stroke(SEVEN[0]);
seen.seven = await bars();
seen.answer = await page.locator("#answer").textContent();
if (pictures) await page.screenshot({ path: join(pictures, "browser.png") });
await page.getByRole("button", { name: "Clear" }).click();
seen.cleared = await bars();
await stroke(circle);
seen.zero = await bars();
await page.locator(".pictures button").first().click();
seen.example = await bars();
seen.of = await page.locator(".pictures button").first().getAttribute("aria-label");

await page.reload();
await page.locator("main").waitFor({ state: "visible" });
seen.again = await page.locator("#progress").textContent();
seen.kept = await page.locator("#kept").textContent();
await page.locator(".pictures button").first().click();
seen.exampleAgain = await bars();
const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the weights" }).click()]);
seen.file = download.suggestedFilename();
await download.saveAs(join(out, seen.file));

await page.getByRole("button", { name: "Start anew" }).click();
await page.locator(".pictures button").first().click();
seen.fresh = await bars();
await page.locator("#file").setInputFiles(join(out, seen.file));
await page.getByText("and kept in this browser").waitFor();
seen.opened = await bars();
await page.locator("#file").setInputFiles({ name: "other.txt", mimeType: "text/plain", buffer: Buffer.from("no weights") });
await page.locator("#failed").waitFor({ state: "visible" });
seen.refused = await page.locator("#failed").textContent();

if (pictures) {
  for (const [name, scheme, width] of [["dark", "dark", 1120], ["phone", "light", 375], ["phone_dark", "dark", 375]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
    seen[`wide ${name}`] = await page.evaluate(() => document.documentElement.scrollWidth);
  }
}
const lost = await context.newPage();
await lost.goto(`${address}?folder=nowhere`);
await lost.locator("#failed").waitFor({ state: "visible" });
seen.lost = await lost.locator("#failed").textContent();
await lost.route("**/vendor/*.wasm", (route) => route.abort());
await lost.goto(address);
await lost.locator("main").waitFor({ state: "visible" });
seen.wrong = wrong;
seen.foreign = foreign;
await lost.locator(".pictures button").first().click();
await lost.locator("#failed").waitFor({ state: "visible" });
seen.withoutWasm = await lost.locator("#failed").textContent();
await browser.close();
console.log(JSON.stringify(seen, null, 1));
