// Drives the UIs: node browser.mjs CHROMIUM DAGSTER MLFLOW PICTURES. Prints what it saw as one line of JSON.
import { chromium } from "playwright-core";

const [executablePath, dagster, mlflow, pictures] = process.argv.slice(2);
const GROUPS = ["sources", "triplets", "dataset", "checkpoints", "reports"];
const RUN_MINUTES = 40;
const seen = {};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(600_000);

try {
  await materialize();
  await lookAtTheDataset();
  await lookAtTheChecks();
  await lookAtTheCheckpoint();
  await lookAtTheReport();
  await lookAtTheTraining();
  console.log(JSON.stringify(seen));
} catch (error) {
  await page.screenshot({ path: `${pictures}/failed.png` });
  console.error(`at ${page.url()}: ${error.message}\nwhat it saw so far: ${JSON.stringify(seen)}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function materialize() {
  await page.goto(`${dagster}/locations/editfoundry/jobs/retraining`);
  const button = page.getByText(/^materialize all/i).first();
  await button.waitFor();
  await button.click();
  const run = await newestRun();
  // A run's page draws every event that comes, on the processors that the run needs.
  await page.goto("about:blank");
  seen.run = await ended(run);
  await page.goto(`${dagster}/runs/${run}`);
  await page.getByText(/^(success|failure|canceled)$/i).first().waitFor();
  await page.screenshot({ path: `${pictures}/dagster_run.png` });
  await page.goto(`${dagster}/asset-groups`);
  for (const group of GROUPS) await page.getByText(group, { exact: true }).first().waitFor();
  seen.groups = GROUPS;
  await page.waitForTimeout(5_000);
  await page.screenshot({ path: `${pictures}/dagster_lineage.png` });
}

async function lookAtTheDataset() {
  await page.goto(`${dagster}/assets/dataset?view=overview`);
  const pictured = page.getByText(/show markdown/i).first();
  await page.getByText(/num_out/).first().waitFor();
  seen.dataset_metadata = await page.locator("body").innerText();
  await page.screenshot({ path: `${pictures}/dagster_dataset.png` });
  await pictured.click();
  await page.locator("img[src^='data:image']").first().waitFor();
  seen.thumbnails = await page.locator("img[src^='data:image']").count();
  await page.screenshot({ path: `${pictures}/dagster_thumbnails.png` });
}

async function lookAtTheChecks() {
  await page.goto(`${dagster}/assets/dataset?view=checks`);
  await page.getByText(/passed|succeeded/i).first().waitFor();
  await page.screenshot({ path: `${pictures}/dagster_checks.png` });
  const query = `{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
    name executionForLatestMaterialization { status evaluation { severity } } } } } } }`;
  seen.checks = {};
  for (const asset of (await ask(query)).assetNodes)
    for (const check of asset.assetChecksOrError.checks ?? []) {
      const execution = check.executionForLatestMaterialization;
      const verdict = execution?.status === "SUCCEEDED" ? "passed" : execution?.evaluation?.severity;
      if (execution) seen.checks[`${asset.assetKey.path.join("/")}: ${check.name}`] = verdict ?? execution.status;
    }
}

async function lookAtTheCheckpoint() {
  await page.goto(`${dagster}/assets/editworld?view=overview`);
  const link = page.locator(`a[href^='${mlflow}']`).first();
  await link.waitFor();
  await page.screenshot({ path: `${pictures}/dagster_checkpoint.png` });
  seen.mlflow_link = await link.getAttribute("href");
  await page.getByText(/show markdown/i).first().click();
  await page.locator("img[src^='data:image'][alt='loss']").waitFor();
  await page.screenshot({ path: `${pictures}/dagster_loss.png` });
}

async function lookAtTheReport() {
  await page.goto(`${dagster}/assets/editworld_report?view=overview`);
  const link = page.locator("a[href$='report.html']").first();
  await link.waitFor();
  await page.screenshot({ path: `${pictures}/dagster_report.png` });
  const answer = await page.goto(await link.getAttribute("href"));
  seen.report = { status: answer.status(), title: await page.title() };
  await page.screenshot({ path: `${pictures}/report.png` });
}

async function lookAtTheTraining() {
  const experiments = (await mlflowApi("experiments/search", { max_results: 100 })).experiments;
  const ids = experiments.map((experiment) => experiment.experiment_id);
  const { runs } = await mlflowApi("runs/search", { experiment_ids: ids, max_results: 100 });
  const trained = runs.find((run) => run.data.metrics?.some((metric) => metric.key === "loss"));
  const id = trained.info.run_id;
  const history = await mlflowApi(`metrics/get-history?run_id=${id}&metric_key=loss`);
  const tags = trained.data.tags.map((tag) => tag.key);
  const { files } = await mlflowApi(`artifacts/list?run_id=${id}&path=samples`);
  await page.goto(seen.mlflow_link);
  await page.getByText(trained.info.run_name, { exact: true }).first().waitFor();
  await page.getByText("loss", { exact: true }).first().waitFor();
  await page.screenshot({ path: `${pictures}/mlflow_run.png` });
  const is_linked = seen.mlflow_link.includes(id);
  seen.training = { points_of_loss: history.metrics.length, num_pictures: files?.length ?? 0, tags, is_linked };
}

async function newestRun() {
  for (let tries = 0; tries < 120; tries++) {
    const { runsOrError } = await ask("{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }");
    if (runsOrError.results.length) return runsOrError.results[0].runId;
    await page.waitForTimeout(1_000);
  }
  throw new Error("no run was started");
}

async function ended(run) {
  const query = `{ runOrError(runId: "${run}") { ... on Run { status } } }`;
  for (let tries = 0; tries < RUN_MINUTES * 30; tries++) {
    const { status } = (await ask(query)).runOrError;
    if (["SUCCESS", "FAILURE", "CANCELED"].includes(status)) return status;
    await page.waitForTimeout(2_000);
  }
  throw new Error(`the run did not end in ${RUN_MINUTES} minutes`);
}

async function ask(query) {
  const answer = await patiently(`${dagster}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

// A server on a busy machine does not always answer in time.
async function patiently(address, options) {
  for (let tries = 1; ; tries++)
    try {
      return await fetch(address, options);
    } catch (error) {
      if (tries === 10) throw error;
      await page.waitForTimeout(5_000);
    }
}

async function mlflowApi(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await patiently(`${mlflow}/api/2.0/mlflow/${path}`, options);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
