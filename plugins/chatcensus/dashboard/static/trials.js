"use strict";

/** The page of trials: all of them, and what one has shown. Every number is of the report that `compare` wrote. */
const trials = (() => {
  const { h } = elements;
  const PATIENCE_MS = 15_000;
  const asked = new URLSearchParams(location.search).get("trial");
  const timezone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const seen = { list: null, report: null, isAway: false };

  async function ask(url) {
    const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`${url.split("?")[0]} answered ${answer.status}`);
    return answer.json();
  }

  async function load() {
    try {
      seen.list = await ask("trials.json");
      const shown = asked ?? seen.list[0]?.trial;
      if (shown) seen.report = await ask(`trial.json?trial=${encodeURIComponent(shown)}`);
    } catch {
      seen.isAway = true;
    }
    frame.redraw();
  }

  function draw(main) {
    main.append(h("h1", { role: "status" }, headline()));
    if (seen.report) main.append(...trial.show(seen.report, timezone));
    if (seen.list?.length) main.append(list());
  }

  function headline() {
    if (seen.isAway) return words.text("away");
    if (seen.list === null) return words.text("asking");
    if (seen.report) return words.text("headline", { conversations: words.number(seen.report.conversations), gold: words.number(seen.report.gold_rows) });
    return words.text("none");
  }

  function list() {
    const columns = [
      ...["trial", "contenders", "answers"].map((key) => ({ label: words.text(key) })),
      ...["conversations", "gold_rows"].map((key) => ({ label: words.text(key), kind: "number" })),
    ];
    const table = elements.table({ caption: words.text("list"), columns, rows: seen.list.map(row) });
    const lead = h("p", { class: "lead" }, words.text("list_lead", { timezone }));
    return h("section", { class: "section" }, h("h2", null, words.text("list")), h("div", { class: "body" }, h("div", null, lead, table)));
  }

  function row(each) {
    const attributes = {
      href: `trials?trial=${encodeURIComponent(each.trial)}${location.hash}`,
      title: each.trial,
      "aria-current": each.trial === seen.report?.trial ? "page" : null,
    };
    return [
      h("a", attributes, words.clock(each.made_at, timezone)),
      each.contenders.join(words.text("separator")),
      Object.values(each.verdicts).map((answer) => words.text(`answer_${answer}`)).join(words.text("separator")),
      words.number(each.conversations),
      words.number(each.gold_rows),
    ];
  }

  function start() {
    frame.start({ title: "trials_title", page: "trials", draw });
    load();
  }

  return { start };
})();

trials.start();
