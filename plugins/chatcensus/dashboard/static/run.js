"use strict";

/** The run page: asks for news while a run is at work, and shows them without a reload. */
const run = (() => {
  const { h } = elements;
  const SOON_MS = 5_000;
  const LATER_MS = 60_000; // nobody looks, nothing happens, or nobody answers
  const asked = new URLSearchParams(location.search).get("run_id");
  const timezone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

  const seen = { runs: null, runsAt: -Infinity, news: null, speed: null, clockOffset: 0, heardAt: null, failures: 0, status: null };
  let speedometer = pace.speedometer();
  let places = null;
  let timer = null;
  let isLooking = false;

  const now = () => Date.now() + seen.clockOffset;
  const watched = () => asked ?? seen.runs?.[0]?.runId ?? null;

  /** Build the places of the page; called again when its language changes. */
  function draw(main) {
    places = { state: h("h1"), trouble: h("div", { role: "status" }), live: h("div"), past: h("section", { class: "section" }) };
    main.append(h("div", { role: "status" }, places.state), places.trouble, places.live, places.past);
    paint();
  }

  function paint() {
    const { news, runs, speed } = seen;
    const name = seen.heardAt === null ? "asking" : live.state(news, watched());
    renew.children(places.state, words.text(`state_${name}`));
    renew.children(places.trouble, seen.failures > 0 && h("p", { class: "notice" }, trouble()));
    renew.children(places.live, news ? live.show(news, { speed, timezone, now: now() }) : null);
    renew.children(places.past, past.show(runs, { timezone, now: now(), runId: watched() }));
  }

  /** Return what is wrong with the news; it stays the same until they come again, so that it is said aloud once. */
  function trouble() {
    if (seen.status === 401) return words.text("trouble_login");
    if (seen.heardAt === null) return words.text("trouble_first");
    return words.text("trouble", { time: words.moment(new Date(seen.heardAt).toISOString(), timezone) });
  }

  async function look() {
    if (isLooking) return;
    isLooking = true;
    clearTimeout(timer);
    try {
      await ask();
      Object.assign(seen, { failures: 0, status: null, heardAt: Date.now() });
    } catch (error) {
      Object.assign(seen, { failures: seen.failures + 1, status: error.status ?? null });
    }
    isLooking = false;
    timer = setTimeout(look, pause());
    paint();
  }

  /** Ask for the list once a minute and when a run ends, and for the run that is watched until it is over. */
  async function ask() {
    if (Date.now() - seen.runsAt >= LATER_MS) await askForRuns();
    const runId = watched();
    if (runId === null || (seen.news?.runId === runId && isSettled(runId))) return;
    if (seen.news?.runId !== runId) speedometer = pace.speedometer();
    const wasAtWork = seen.news?.runId === runId && !isOver();
    seen.news = await news.ofRun(runId, { isInLedger: Boolean(seen.news?.runId === runId && seen.news.ledger) });
    seen.clockOffset = seen.news.at - Date.now();
    seen.speed = speedOf(seen.news);
    if (wasAtWork && isOver()) await askForRuns();
  }

  async function askForRuns() {
    seen.runs = await news.history();
    seen.runsAt = Date.now();
  }

  const isOver = () => !seen.news.run || seen.news.run.isOver;

  /** True when the run is over, and the list does not say that somebody has made it go on. */
  const isSettled = (runId) => isOver() && (seen.runs.find((each) => each.runId === runId)?.isOver ?? true);

  function speedOf({ ledger, at }) {
    if (!ledger) return null;
    const rows = pace.begun(ledger);
    speedometer.see(rows, ledger.run.planned?.burndown ?? 1);
    return speedometer.perMinute(rows.filter((row) => pace.doing(row, { now: at, isOver: isOver() }) === "running"));
  }

  function pause() {
    if (seen.failures) return Math.min(LATER_MS, SOON_MS * 2 ** seen.failures);
    return document.hidden || !seen.news || isOver() ? LATER_MS : SOON_MS;
  }

  function start() {
    frame.start({ title: "run_title", page: "run", draw });
    document.addEventListener("visibilitychange", () => document.hidden || look());
    look();
  }

  return { start };
})();

run.start();
