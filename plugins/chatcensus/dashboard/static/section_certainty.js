"use strict";

/** How sure we are: what is evaluated, what could not be judged, and how far the judge's mistakes may have moved the shares. */
const sectionCertainty = (() => {
  function draw(data, asked) {
    const all = [outcomes(data), coverage(data, asked), corrected(data), failures(data)].filter(Boolean);
    return figure.section("certainty", ...(all.length ? all : [elements.h("p", { class: "lead" }, words.text("nothing"))]));
  }

  function outcomes(data) {
    const rows = data.tables.evaluation_quality;
    const { totals } = data;
    if (!totals.conversations) return null;
    const evaluated = rows.filter((row) => row.outcome === "evaluated");
    const first = totals.evaluated ? published.sum(evaluated, "first_attempt") / totals.evaluated : null;
    return figure.make(data, {
      id: "outcomes",
      finding: words.text("coverage_finding", { share: words.percent(totals.evaluated / totals.conversations) }),
      lead: [first !== null && words.text("quality_lead", { share: words.percent(first) })],
      source: filters.source(data, {}, words.text("whole_snapshot")), caption: words.text("quality_caption"),
      names: ["outcome", "reason", "model", "prompt_version", "conversations", "first_attempt", "clipped"], rows,
      chart: {
        kind: "bars", format: (value) => words.percent(value), axis: words.text("share_of_conversations"),
        rows: published.OUTCOMES.map((outcome) => ({
          label: words.text(outcome), value: totals[outcome] / totals.conversations, note: words.counted("conversations", totals[outcome]),
          isQuiet: outcome !== "evaluated",
        })),
      },
    });
  }

  function coverage(data, asked) {
    const rows = periods.within(data, asked.period, "weekly_usage");
    if (rows.length < 2) return null;
    const least = rows.reduce((low, row) => (row.coverage < low.coverage ? row : low));
    return figure.make(data, {
      id: "coverage",
      finding: words.text("coverage_least", { share: words.percent(least.coverage), when: periods.weekOf(least) }),
      source: filters.source(data, { period: asked.period }), caption: words.text("coverage_caption"),
      names: ["week", "conversations", "evaluated", "quarantined", "pending", "coverage"], rows,
      chart: {
        kind: "line", line: words.text("coverage"), format: (value) => words.percent(value), tick: words.percentTick,
        least: 0, most: 1,
        points: periods.weekPoints(rows, "coverage"),
      },
    });
  }

  /** Return the shares as counted beside the corrected ones; null without a gold set. */
  function corrected(data) {
    const rows = data.tables.category_shares.filter((row) => row.corrected_share !== null);
    if (!rows.length) return null;
    const size = rows.reduce((most, row) => Math.max(most, row.gold_size ?? 0), 0);
    const outside = rows.filter((row) => row.share !== null && (row.share < row.corrected_low || row.share > row.corrected_high));
    return figure.make(data, {
      id: "corrected",
      finding: outside.length
        ? words.text("corrected_some", { categories: words.counted("categories", outside.length), all: words.number(rows.length) })
        : words.text("corrected_none"),
      lead: [words.text("corrected_lead", { labelled: words.counted("labelled", size) })],
      source: filters.source(data), caption: words.text("corrected_caption"),
      names: ["category", "conversations", "share", "corrected_share", "corrected_low", "corrected_high"], rows,
      chart: {
        kind: "intervals", format: (value) => words.percent(value), tick: words.percentTick, axis: words.text("share_axis"), least: 0,
        dot: words.text("corrected_share"), interval: words.text("interval"), other: words.text("as_counted"),
        rows: rows.map((row) => ({
          label: published.category(data, row.category),
          value: row.corrected_share, low: row.corrected_low, high: row.corrected_high, other: row.share,
          isQuiet: !changes.isOfCategory(row),
        })),
      },
    });
  }

  function failures(data) {
    const rows = data.tables.failures;
    if (!rows.length) return null;
    const conversations = words.counted("conversations", published.sum(rows, "conversations"));
    const ofReason = (reason) => published.sum(rows.filter((row) => row.reason === reason), "conversations");
    const [reason] = rows.map((row) => row.reason).sort((one, other) => ofReason(other) - ofReason(one));
    return figure.make(data, {
      id: "failures",
      finding: words.text("failures_finding", { conversations, reason: reason ?? words.NONE }),
      lead: [words.text("failures_lead")],
      source: filters.source(data, {}, words.text("whole_snapshot")), caption: words.text("failures_caption"),
      names: ["reason", "conversations", "attempts", "cost_micro_usd", "first_seen", "last_seen", "replay"],
      rows,
    });
  }

  return { draw };
})();
