"use strict";

/** A figure: a sentence that says the finding, its chart, the table behind it, downloads, and of which snapshot it is. */
const figure = (() => {
  const { h } = elements;
  const opened = new Set(); // tables that the reader has opened stay open when the page is drawn again
  let waiting = [];
  let handles = [];

  /**
   * Return a figure; its chart is drawn by `drawAll`, once the figure is in the document.
   * @param {object} data
   * @param {{
   *   id: string, finding: string, lead?: (string|false)[], source: string, caption: string, names: string[], rows: object[],
   *   shown?: object[], isWide?: boolean, control?: Node, chart?: {kind: string, [spec: string]: any}
   * }} spec *caption* says what the numbers are; *names* are columns; *shown* the rows of the table where it is shorter
   *   than the file; *chart* the spec of charts.js without what all have in common. Without rows there is the finding alone.
   */
  function make(data, spec) {
    const { id, finding, lead = [], source, caption, names, rows, shown = rows, isWide = false, control = null, chart = null } = spec;
    const said = lead.filter(Boolean);
    const heading = h("h3", { id: `${id}-finding`, dir: "auto" }, finding);
    if (!rows.length) return h("article", { class: "figure", id, "aria-labelledby": heading.id }, heading);
    const place = chart ? h("div", { class: "chart" }) : null;
    let drawing = null;
    const draw = () => drawn(place, { title: caption, summary: finding, source, empty: words.text("nothing"), ...chart });
    if (chart) waiting.push(() => (drawing = draw()));
    const csv = () => downloads.csv(`chat-census-${id}`, names, rows.map((row) => names.map((name) => row[name] ?? null)));
    const png = () => downloads.png(`chat-census-${id}`, drawing);
    const label = (format) => ({ "aria-label": words.text(`download_${format}`, { caption }), id: `${id}-${format}` });
    const buttons = [elements.button("CSV", csv, label("csv")), chart && elements.button("PNG", png, label("png"))];
    return h(
      "article", { class: isWide ? "figure wide" : "figure", id, "aria-labelledby": heading.id },
      heading, said.length > 0 && h("p", { class: "lead" }, said.join(words.text("between_sentences"))), control, place,
      numbers(id, elements.table(columns.table({ names, rows: shown, caption, data })), !chart),
      h("p", { class: "foot" }, h("span", { class: "source", dir: "auto" }, source), h("span", { class: "row" }, buttons)),
    );
  }

  function drawn(place, { kind, ...spec }) {
    const handle = charts[kind](place, spec);
    handles.push(handle);
    return handle;
  }

  /** Return the table behind a chart, folded; a table without a chart is the figure itself. */
  function numbers(id, table, isAlone) {
    if (isAlone) return table;
    const details = h("details", { open: opened.has(id) }, h("summary", { id: `${id}-numbers` }, words.text("numbers")), table);
    details.addEventListener("toggle", () => (details.open ? opened.add(id) : opened.delete(id)));
    return details;
  }

  /** Draw the charts of the figures made since the last time. */
  function drawAll() {
    for (const draw of waiting) draw();
    waiting = [];
  }

  /** Take the charts away; to be called before their figures go. */
  function clear() {
    for (const handle of handles) handle.dispose();
    handles = [];
    waiting = [];
  }

  /** Return a section of the page. */
  const section = (id, ...figures) => h(
    "section", { class: "section", id, "aria-labelledby": `${id}-name` },
    h("h2", { id: `${id}-name`, tabindex: -1 }, words.text(`section_${id}`)), h("div", { class: "body" }, figures),
  );

  return { make, section, drawAll, clear };
})();
