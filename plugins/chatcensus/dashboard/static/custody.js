"use strict";

/** The chain of custody of the numbers: each count must follow from the one before. */
const custody = (() => {
  const { sum } = published;

  /** Return what was skipped, without kinds that there are none of. */
  const skipped = (data) => Object.entries(data.custody.skipped).filter(([, count]) => count > 0);

  const total = (counts) => counts.reduce((all, count) => all + count, 0);

  /**
   * Return the steps of the chain, in order.
   * @returns {{step: string, count: number|null, against: number|null, verdict: "holds"|"broken"|"told"}[]} *step* is
   *   the key of a text; `told` is compared with nothing
   */
  function steps(data) {
    const { layers = [], items, live_items: live = null, writes } = data.custody;
    const { conversations, evaluated } = data.totals;
    const rows = total(layers.flatMap((layer) => Object.values(layer.rows)));
    const outcomes = total(published.OUTCOMES.map((outcome) => data.totals[outcome]));
    const left = items - total(skipped(data).map(([, count]) => count));
    return [
      ...(live === null ? [] : [{ step: "step_live", count: live, against: null, verdict: "told" }]),
      ...(layers.length ? [equal("step_manifest", sum(layers, "manifest_items"), rows), equal("step_rows", rows, items)] : []),
      equal("step_conversations", left, conversations),
      equal("step_outcomes", outcomes, conversations),
      equal("step_tables", sum(data.tables.evaluation_quality, "conversations"), conversations),
      atMost("step_categories", sum(data.tables.category_counts, "conversations"), evaluated),
      atMost("step_scores", sum(data.tables.score_distribution, "conversations"), evaluated),
      ...(writes ? [written(writes)] : []),
    ];
  }

  const equal = (step, count, against) => ({ step, count, against, verdict: count === against ? "holds" : "broken" });
  const atMost = (step, count, against) => ({ step, count, against, verdict: count <= against ? "holds" : "broken" });

  /** What a run wrote must be in the snapshot, but for what was deleted or judged again since: then the live table has no more of it. */
  function written({ written: wrote, in_snapshot: found, in_table: live }) {
    const isWhole = found >= wrote || (live !== null && live !== undefined && found >= live);
    return { step: "step_writes", count: found, against: wrote, verdict: isWhole ? "holds" : "broken" };
  }

  /** True where every item is accounted for, and no table counts more than there is. */
  const holds = (data) => steps(data).every(({ verdict }) => verdict !== "broken");

  /** Return the chain as a sentence. */
  function sentence(data) {
    const gone = skipped(data);
    const values = { items: words.number(data.custody.items), skipped: words.number(total(gone.map(([, count]) => count))) };
    for (const outcome of published.OUTCOMES) values[outcome] = words.number(data.totals[outcome]);
    return words.text(gone.length ? "chain_skipped" : "chain", values);
  }

  return { skipped, steps, holds, sentence };
})();
