"use strict";

/** Asks for the news of runs: the ledger's rows from this app, the state of runs and tasks from Airflow's own API. */
const news = (() => {
  const RUNS = "../api/v2/dags/chat_census/dagRuns";
  const PATIENCE_MS = 15_000;
  const OVER = ["success", "failed"];
  const AT_WORK = "state=running&state=deferred&state=up_for_retry";

  /** Return what *url* answers, and when it did by the server's clock; a body of null where there is nothing (404). */
  async function ask(url) {
    const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 404) return { body: null, at: Date.now() };
    if (!answer.ok) throw Object.assign(new Error(`${url.split("?")[0]} answered ${answer.status}`), { status: answer.status });
    return { body: await answer.json(), at: Date.parse(answer.headers.get("Date")) || Date.now() };
  }

  /** Return what *url* answers; null where there is nothing, or nothing for this reader. */
  async function perhaps(url) {
    try {
      return (await ask(url)).body;
    } catch (error) {
      if (error.status === 403) return null;
      throw error;
    }
  }

  const runUrl = (runId) => `${RUNS}/${encodeURIComponent(runId)}`;

  /** Return the latest runs, newest first, each with what the ledger has of it (null: nothing). */
  async function history() {
    const listed = (await ask(`${RUNS}?order_by=-run_after&limit=25`)).body?.dag_runs ?? [];
    if (!listed.length) return [];
    const asked = listed.map((run) => `run_id=${encodeURIComponent(run.dag_run_id)}`).join("&");
    const rows = new Map(Object.entries((await ask(`runs.json?${asked}`)).body ?? {}));
    return listed.map((run) => ({ ...told(run), row: rows.get(run.dag_run_id) ?? null }));
  }

  /** Return of a run what Airflow tells of it and is used here. */
  function told(run) {
    const { dag_run_id: runId, state, run_type: type, run_after: after, start_date: start, end_date: end, conf } = run;
    return { runId, state, type, after, start, end, isOver: OVER.includes(state), isDryRun: conf?.dry_run === true };
  }

  /**
   * Return all there is to know of one run. A 404 stands in the browser's log as an error: what may be absent is asked for last.
   *
   * *tasks* are at work, or have failed when the run is over; *published* is what `publish` returned.
   * @returns {Promise<{runId: string, run: Object|null, ledger: Object|null, at: number, tasks: Object[],
   *   publishState: string|null, published: Object|null}>}
   */
  async function ofRun(runId, { isInLedger }) {
    const [airflow, ledger] = await Promise.all([ask(runUrl(runId)), ofLedger(runId, isInLedger)]);
    const run = airflow.body && told(airflow.body);
    const tasks = `${runUrl(runId)}/taskInstances`;
    const [listed, publish] = await Promise.all([
      run && perhaps(`${tasks}?${run.isOver ? "state=failed" : AT_WORK}&limit=100`),
      run?.isOver && perhaps(`${tasks}/publish`),
    ]);
    const publishState = publish?.state ?? null;
    const returned = publishState === "success" ? await perhaps(`${tasks}/publish/xcomEntries/return_value`) : null;
    return {
      runId, run, ledger: ledger.body, at: ledger.at, tasks: listed?.task_instances ?? [], publishState, published: returned?.value ?? null,
    };
  }

  async function ofLedger(runId, isInLedger) {
    const query = `run_id=${encodeURIComponent(runId)}`;
    const found = isInLedger ? null : await ask(`runs.json?${query}`);
    return found && !Object.keys(found.body ?? {}).length ? { body: null, at: found.at } : ask(`run.json?${query}`);
  }

  return { history, ofRun };
})();
