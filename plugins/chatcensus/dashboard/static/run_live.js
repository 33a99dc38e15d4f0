"use strict";

/** Shows one run: how far it is, how fast, at what cost, and what became of it. */
const live = (() => {
  const { h } = elements;
  const OUTCOMES = ["evaluated", "already_evaluated", "quarantined", "left_pending", "changed", "deleted"];

  /**
   * Return the name of the state that a run is in; a text `state_<name>` says it.
   * @param {Object|null} news as news.ofRun gives it
   * @param {string|null} runId the run that is watched; null when there is none
   */
  function state(news, runId) {
    if (!news) return runId ? "asking" : "none";
    const { run, ledger } = news;
    if (!run) return ledger ? "ledger_only" : "unknown";
    if (run.isOver) return outcome(news);
    if (run.state === "queued") return "queued";
    if (run.isDryRun) return "dry";
    if (!ledger?.run.planned) return "planning";
    const rows = pace.begun(ledger);
    return rows.length === ledger.run.planned.segments && rows.every((row) => row.is_done) ? "settling" : "judging";
  }

  function outcome({ run, publishState, published }) {
    if (run.state === "failed") return "failed";
    if (run.isDryRun) return "dry_over";
    if (published) return published.is_published ? "published" : "overtaken";
    return publishState === "skipped" ? "unpublished" : "ended";
  }

  /**
   * Return what is shown of a run beside its state.
   * @param {Object} news as news.ofRun gives it
   * @param {{speed: Object|null, now: number, timezone: string}} at *speed* of pace.speedometer; *now* by the server's clock
   */
  function show(news, at) {
    const { run, ledger } = news;
    const isOver = !run || run.isOver;
    const plan = ledger?.run.planned ?? null;
    const rows = ledger ? pace.begun(ledger) : [];
    const settled = ledger?.run.tally ?? null;
    const told = rows.length && !(isOver && settled) ? pace.total(rows.map((row) => row.tally)) : settled;
    const seen = { run, ledger, plan, rows, tally: told, isOver, ...at };
    return [
      h("p", { class: "lead" }, times(seen), h("br"), h("code", null, news.runId)),
      tasks(news),
      ended(news),
      ledger && figures(seen),
      plan && h("p", { class: "quiet" }, words.text("model", { model: isolated(plan.model), burndown: words.number(plan.burndown) })),
      plan && rows.length > 0 && section("segments", segments(seen)),
      told && pace.ended(told) > 0 && section("outcomes", outcomes(told)),
    ];
  }

  /** Return a name in characters that keep its direction of writing to itself. */
  const isolated = (name) => `\u2068${name}\u2069`;

  /** Return a part of the page with its name beside it. */
  const section = (key, ...body) => h("section", { class: "section" }, h("h2", null, words.text(key)), h("div", { class: "body" }, h("div", null, body)));

  function times({ run, now, timezone }) {
    if (!run?.start) return null;
    const seconds = ((run.end ? Date.parse(run.end) : now) - Date.parse(run.start)) / 1000;
    return words.text(run.end ? "took" : "since", { time: words.moment(run.start, timezone), duration: words.duration(Math.max(0, seconds)) });
  }

  function tasks({ run, tasks: listed }) {
    const named = (chosen) => [...new Set(chosen.map((task) => task.task_id))].sort().join(words.text("separator"));
    const line = (key, chosen) => chosen.length > 0 && words.text(key, { tasks: named(chosen) });
    const isRetrying = (task) => task.state === "up_for_retry";
    const lines = run?.isOver
      ? [line("failed_tasks", listed)]
      : [line("at_work", listed.filter((task) => !isRetrying(task))), line("waiting_for_retry", listed.filter(isRetrying))];
    return lines.some(Boolean) && h("p", null, lines.filter(Boolean).join(" "));
  }

  function ended({ published }) {
    if (!published?.edition) return null;
    const link = h("a", { href: `./${location.hash}` }, words.text("to_report"));
    return h("p", null, words.text("edition", { edition: published.edition }), " ", published.is_published && link);
  }

  function figures(seen) {
    const { plan, speed, isOver } = seen;
    const rate = (key, quota) => figure(key, words.number(speed?.[key]), words.text("of", { whole: words.number(quota) }), speed?.[key], quota);
    return h("dl", { class: "figures" }, [
      plan && howFar(seen),
      plan && !isOver && timeLeft(seen),
      spend(seen),
      plan && !isOver && rate("calls", plan.requests_per_minute),
      plan && !isOver && rate("tokens", plan.tokens_per_minute),
    ]);
  }

  /** Return a number with its name, what it is a part of, and a bar where both are known. */
  function figure(key, shown, of, part, whole) {
    const bar = whole > 0 && part !== undefined && h("progress", { max: whole, value: Math.min(whole, part), "aria-label": words.text(`${key}_label`) });
    return h("div", null, h("dt", null, words.text(`${key}_label`)), h("dd", null, shown, " ", of && h("small", null, of), bar));
  }

  function howFar({ plan, tally }) {
    const count = tally ? pace.ended(tally) : 0;
    const expected = Math.max(plan.expected, count);
    return figure("ended", words.number(count), words.text("of_about", { whole: words.number(expected) }), count, expected);
  }

  function timeLeft({ plan, rows, speed }) {
    const left = pace.remaining(plan, rows, speed);
    if (!left) return figure("left", words.NONE);
    const unit = left.seconds < 60 ? 10 : left.seconds < 3600 ? 60 : 300; // no finer than it can be known
    return figure("left", words.duration(Math.ceil(left.seconds / unit) * unit), words.text(`left_${left.by}`));
  }

  function spend({ ledger, plan, isOver }) {
    const spent = ledger.run.spent_micro_usd ?? 0;
    const key = isOver ? "spent" : "set_aside";
    if (!plan) return figure(key, words.usdRounded(spent), "USD");
    const budget = plan.max_micro_usd;
    return figure(key, words.usdRounded(spent), words.text("of_usd", { whole: words.usdRounded(budget) }), spent, budget);
  }

  function segments(seen) {
    const by = { done: [], running: [], quiet: [], stopped: [] };
    for (const row of seen.rows) by[pace.doing(row, seen)].push(row);
    const all = seen.plan.segments;
    const counts = { done: by.done.length, running: by.running.length + by.quiet.length, waiting: all - seen.rows.length, all };
    const shown = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, words.number(count)]));
    const open = [...by.running, ...by.quiet].sort((one, other) => one.map_index - other.map_index);
    return [
      h("h3", null, words.text(seen.isOver ? "segments_over" : "segments_count", shown)),
      open.length > 0 && segmentTable("segments_running", open, seen),
      by.stopped.length > 0 && segmentTable("segments_stopped", by.stopped, seen),
      by.done.length > 0 && h("details", null, h("summary", null, words.text("segments_done")), segmentTable("segments_done", by.done, seen)),
    ];
  }

  function segmentTable(key, rows, seen) {
    const columns = [
      { label: words.text("segment") }, { label: words.text("doing") },
      { label: words.text("ended_label"), kind: "number" }, { label: words.text("last_news"), kind: "number" },
    ];
    return elements.table({ caption: words.text(key), columns, rows: rows.map((row) => segmentRow(row, seen)) });
  }

  function segmentRow(row, seen) {
    const doing = pace.doing(row, seen);
    const silence = words.duration(Math.max(0, seen.now - Date.parse(row.told_at)) / 1000);
    const count = pace.ended(row.tally);
    const expected = Math.max(row.expected, count);
    const name = words.text("segment_name", { number: words.number(row.map_index + 1), all: words.number(seen.plan.segments) });
    const shown = [words.number(count), " ", words.text("of_about", { whole: words.number(expected) })];
    const bar = h("progress", { max: Math.max(1, expected), value: count, "aria-label": `${words.text("segment")} ${name}` });
    return [
      h("span", { title: row.name }, name),
      words.text(`doing_${doing}`, { duration: silence }),
      h("span", null, shown, " ", bar),
      doing === "done" || doing === "stopped" ? words.moment(row.told_at, seen.timezone) : words.text("ago", { duration: silence }),
    ];
  }

  function outcomes(tally) {
    const rows = OUTCOMES.filter((key) => tally.outcomes[key] > 0).map((key) => [words.text(`outcome_${key}`), words.number(tally.outcomes[key])]);
    const of = (key) => words.number(tally.outcomes[key] ?? 0);
    const columns = [{ label: words.text("outcome") }, { label: words.text("conversations"), kind: "number" }];
    const reasons = Object.entries(tally.reasons).map(([name, count]) => words.text("counted", { name, count: words.number(count) }));
    const counts = { calls: words.number(tally.calls), lost: words.number(tally.possibly_paid), refused: words.number(tally.throttled) };
    return [
      h("h3", null, words.text("outcomes_count", { evaluated: of("evaluated"), quarantined: of("quarantined") })),
      elements.table({ caption: words.text("outcomes"), columns, rows }),
      reasons.length > 0 && h("p", null, words.text("reasons", { reasons: reasons.join(words.text("separator")) })),
      h("p", { class: "quiet" }, words.text("paid", counts)),
    ];
  }

  return { state, show };
})();
