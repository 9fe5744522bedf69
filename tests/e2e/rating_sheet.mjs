// Rates a sheet: node rating_sheet.mjs CHROMIUM SHEET.html PICTURES OUT. Red edits are good, blue ones bad, by their pixels.
import { chromium } from "playwright-core";

const [executablePath, sheet, pictures, out] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
const seen = { errors: [], requests: [] };

try {
  await rate("keys", "json", byKeys, { width: 1280, height: 860 });
  await rate("clicks", "csv", byClicks, { width: 390, height: 844 });
  console.log(JSON.stringify(seen));
} catch (error) {
  console.error(error.stack, JSON.stringify(seen));
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function rate(name, kind, answer, viewport) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url()); });
  await page.goto(`file://${sheet}`);
  await page.screenshot({ path: `${pictures}/rating_${name}_first.png` });
  await page.locator("#json").click();
  seen.nameless = await page.locator("#told").innerText();
  await page.locator("#rater").fill(name);
  await page.locator("h1").click();
  const total = Number(await page.locator("#progress").getAttribute("max"));
  for (let number = 0; number < total; number++) {
    if (number === 3) {
      await page.locator("#next").click();
      seen.unanswered = await page.locator("#told").innerText();
      await page.reload();
    }
    await answer(page, await reds(page));
    if (number === 1) await page.screenshot({ path: `${pictures}/rating_${name}_answered.png` });
    if (number === total - 1) await page.screenshot({ path: `${pictures}/rating_${name}_pair.png` });
    if (answer === byKeys) await page.keyboard.press("Enter");
    else await page.locator("#next").click();
  }
  seen[`${name}_told`] = await page.locator("#told").innerText();
  seen[`${name}_wider_than_the_page`] = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`#${kind}`).click()]);
  await download.saveAs(`${out}/${name}.${kind}`);
  await context.close();
}

/** Return of each picture that was edited whether it is red. */
async function reds(page) {
  return page.locator(".pictures figure:not(:first-child) img").evaluateAll((images) => Promise.all(images.map(async (image) => {
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    canvas.drawImage(image, 0, 0, 1, 1);
    const [red, , blue] = canvas.getImageData(0, 0, 1, 1).data;
    return red > blue;
  })));
}

async function byKeys(page, red) {
  if (red.length === 2) return page.keyboard.press(red[0] ? "a" : "d");
  for (const key of red[0] ? ["y", "y", "y", "5"] : ["n", "n", "n", "2"]) await page.keyboard.press(key);
}

async function byClicks(page, red) {
  const click = (question, answer) => page.locator(`input[name=${question}][value="${answer}"]`).click();
  if (red.length === 2) return click("preference", "equal");
  for (const question of ["object", "attributes", "binding"]) await click(question, red[0] ? "yes" : "no");
  await click("quality", red[0] ? "4" : "2");
}
