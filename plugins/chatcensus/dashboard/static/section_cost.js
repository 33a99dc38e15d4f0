"use strict";

/** What judging cost: by week, and by model. */
const sectionCost = (() => {
  const MILLION = 1_000_000;
  const COST = ["model", "answered_by", "conversations", "attempts", "input_tokens", "output_tokens", "cost_micro_usd"];

  function draw(data, asked) {
    const all = [byWeek(data, asked), byModel(data)].filter(Boolean);
    return figure.section("cost", ...(all.length ? all : [elements.h("p", { class: "lead" }, words.text("nothing"))]));
  }

  const dollars = (micro) => words.text("usd", { amount: words.usdRounded(micro) });

  function byWeek(data, asked) {
    const rows = periods.within(data, asked.period, "weekly_usage");
    if (!rows.length) return null;
    const last = rows[rows.length - 1];
    const conversations = words.counted("conversations", last.conversations);
    return figure.make(data, {
      id: "cost-by-week",
      finding: words.text("cost_week", { cost: dollars(last.cost_micro_usd), conversations, when: periods.weekOf(last) }),
      source: filters.source(data, { period: asked.period }), caption: words.text("cost_by_week_caption"),
      names: ["week", "conversations", "evaluated", "quarantined", "cost_micro_usd"], rows,
      chart: rows.length > 1 && {
        kind: "columns", axis: words.text("cost_usd"),
        format: (value) => words.usdRounded(value), tick: (value) => words.tick(value / MILLION),
        points: periods.weekPoints(rows, "cost_micro_usd"),
      },
    });
  }

  function byModel(data) {
    const rows = data.tables.model_cost;
    if (!rows.length) return null;
    const judged = data.totals.evaluated + data.totals.quarantined;
    const each = judged ? words.text("usd", { amount: (data.cost_micro_usd / judged / MILLION).toFixed(6) }) : words.NONE;
    const isOne = rows.length === 1;
    return figure.make(data, {
      id: "cost-by-model", finding: words.text("cost_all", { cost: dollars(data.cost_micro_usd), each }),
      lead: [words.text("cost_lead"), isOne && words.text("cost_one_model", { model: rows[0].model ?? words.NONE })],
      source: filters.source(data, {}, words.text("whole_snapshot")), caption: words.text("cost_by_model_caption"),
      names: COST, rows,
      chart: isOne ? null : {
        kind: "bars", format: (value) => words.usdRounded(value), axis: words.text("cost_usd"),
        rows: rows.map((row) => ({
          label: row.model ?? words.NONE, value: row.cost_micro_usd, note: words.counted("conversations", row.conversations),
          details: [words.text("answered_by_is", { name: row.answered_by ?? words.NONE })],
        })),
      },
    });
  }

  return { draw };
})();
