"use strict";

/** Shows the latest runs: what Airflow says of each, beside what the ledger counted. */
const past = (() => {
  const { h } = elements;
  const STATES = ["queued", "running", "success", "failed"];
  const TYPES = ["scheduled", "manual", "backfill", "asset_triggered", "asset_materialization"];

  /**
   * @param {Object[]|null} runs as news.history gives them; null before the first news
   * @param {{timezone: string, now: number, runId: string|null}} at *now* by the server's clock; *runId* is the run that is watched
   */
  function show(runs, at) {
    if (!runs) return [];
    const columns = [
      ...["run", "state", "type"].map((key) => ({ label: words.text(key) })),
      ...["duration", "read", "evaluated", "quarantined", "pending", "cost"].map((key) => ({ label: words.text(key), kind: "number" })),
    ];
    const lead = runs.length ? words.text("history_lead", { timezone: at.timezone }) : words.text("history_none");
    const table = runs.length > 0 && elements.table({ caption: words.text("history"), columns, rows: runs.map((run) => row(run, at)) });
    return [h("h2", null, words.text("history")), h("div", { class: "body" }, h("div", null, h("p", { class: "lead" }, lead), table))];
  }

  function row({ runId, state, type, after, start, end, isDryRun, row: ledger }, { timezone, now, runId: watched }) {
    const tally = ledger?.tally ?? null;
    const outcome = (key) => words.number(tally && (tally.outcomes[key] ?? 0));
    const seconds = start ? ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000 : null;
    const attributes = { href: `run?run_id=${encodeURIComponent(runId)}${location.hash}`, title: runId, "aria-current": runId === watched ? "page" : null };
    const link = h("a", attributes, words.clock(after, timezone));
    return [
      link,
      STATES.includes(state) ? words.text(`airflow_${state}`) : state,
      isDryRun ? words.text("type_dry") : TYPES.includes(type) ? words.text(`type_${type}`) : type,
      words.duration(seconds),
      words.number(tally && tally.read),
      ...["evaluated", "quarantined", "left_pending"].map(outcome),
      words.usdRounded(ledger?.spent_micro_usd ?? null),
    ];
  }

  return { show };
})();
