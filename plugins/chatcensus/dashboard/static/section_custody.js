"use strict";

/** Where the numbers come from: each step from the live table to the tables, compared, and the layers of the snapshot. */
const sectionCustody = (() => {
  const { h } = elements;

  const count = (key) => ({ label: words.text(key), kind: "number" });

  function draw(data) {
    return figure.section("custody", chain(data), layers(data));
  }

  function chain(data) {
    const isWhole = custody.holds(data);
    const rows = custody.steps(data).map(({ step, count, against, verdict }) => [
      words.text(step), words.number(count), words.number(against),
      h("span", { class: `verdict ${verdict}` }, words.text(`verdict_${verdict}`)),
    ]);
    const gone = custody.skipped(data).map(([kind, count]) => words.text(`skipped_${kind}`, { count: words.number(count) }));
    const said = [custody.sentence(data), gone.length > 0 && words.text("skipped_are", { kinds: gone.join(words.text("list_comma")) })];
    return h(
      "article", { class: "figure", id: "chain", "aria-labelledby": "chain-finding" },
      h("h3", { id: "chain-finding" }, words.text(isWhole ? "chain_holds" : "chain_broken")),
      h("p", { class: "lead" }, said.filter(Boolean).join(words.text("between_sentences"))),
      elements.table({
        caption: words.text("chain_caption"),
        columns: [{ label: words.text("step") }, count("count"), count("against"), { label: words.text("comparison") }],
        rows,
      }),
      h("p", { class: "foot" }, h("span", { class: "source" }, filters.source(data, {}, words.text("whole_snapshot")))),
    );
  }

  function layers(data) {
    const all = data.custody.layers ?? [];
    if (!all.length) return null;
    const kinds = [...new Set(all.flatMap((layer) => Object.keys(layer.rows)))];
    return h(
      "article", { class: "figure", id: "layers", "aria-labelledby": "layers-finding" },
      h("h3", { id: "layers-finding" }, words.counted("layers", all.length)),
      h("p", { class: "lead" }, words.text("layers_lead")),
      elements.table({
        caption: words.text("layers_caption"),
        columns: [{ label: words.text("export_id"), kind: "code" }, count("step_manifest"), ...kinds.map((kind) => count(`kind_${kind}`))],
        rows: all.map(({ export_id, manifest_items, rows }) => [
          export_id, words.number(manifest_items), ...kinds.map((kind) => words.number(rows[kind] ?? 0)),
        ]),
      }),
    );
  }

  return { draw };
})();
