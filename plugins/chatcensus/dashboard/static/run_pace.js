"use strict";

/** What the rows of a run say together: how far it is, how fast, and how long it may take. It knows no page and no clock. */
const pace = (() => {
  // A speed is taken over the last minute of news: a look is older than the news in it, and news come every ten seconds.
  const LOOK_BACK_MS = 60_000;
  const QUIET_MS = 60_000;
  // Two machines' clocks may differ by a minute; what is older than that belongs to an earlier plan of the same run.
  const SKEW_MS = 60_000;
  const JUDGED = ["evaluated", "quarantined", "changed", "deleted"]; // the outcomes of what the model was asked about
  const COUNTS = ["outcomes", "reasons", "skipped"];
  const SUMS = ["read", "calls", "possibly_paid", "throttled", "input_tokens", "output_tokens", "cost_micro_usd"];

  /** Return how many conversations of a tally ended in an outcome. */
  const ended = (tally) => Object.values(tally.outcomes).reduce((sum, count) => sum + count, 0);

  /** Return the sum of *tallies*, each as the ledger has it. */
  function total(tallies) {
    const sum = Object.fromEntries([...COUNTS.map((name) => [name, {}]), ...SUMS.map((name) => [name, 0])]);
    for (const tally of tallies) {
      for (const name of SUMS) sum[name] += tally[name];
      for (const name of COUNTS) {
        for (const [key, count] of Object.entries(tally[name])) sum[name][key] = (sum[name][key] ?? 0) + count;
      }
    }
    return sum;
  }

  /**
   * Return the segments of the present plan that have begun.
   * @param {{run: Object, segments: Object[]}} rows as run.json has them
   */
  function begun({ run, segments }) {
    const plan = run.planned;
    if (!plan) return segments;
    const since = Date.parse(plan.planned_at) - SKEW_MS;
    return segments.filter((row) => row.map_index < plan.segments && Date.parse(row.told_at) >= since);
  }

  /** Return what a segment does: "done", "running", "quiet" (no news for a minute), or "stopped" when the run is over. */
  function doing(row, { now, isOver }) {
    if (row.is_done) return "done";
    if (isOver) return "stopped";
    return now - Date.parse(row.told_at) > QUIET_MS ? "quiet" : "running";
  }

  /** Remembers the news of each segment for a minute, and tells the speed of those that are running. */
  function speedometer() {
    const looks = new Map();

    /** Take in the rows of one look. */
    function see(rows, burndown) {
      for (const row of rows) looks.set(row.map_index, seen(looks.get(row.map_index), row, burndown));
    }

    function seen(before, row, burndown) {
      const { started_at: startedAt, tally } = row;
      const tokens = tally.input_tokens + burndown * tally.output_tokens;
      const look = { at: Date.parse(row.told_at), ended: ended(tally), calls: tally.calls, tokens };
      const isSameTry = before?.startedAt === startedAt;
      const known = isSameTry ? before.known : [{ at: Date.parse(startedAt), ended: 0, calls: 0, tokens: 0 }];
      if (look.at > known.at(-1).at) known.push(look);
      while (known.length > 2 && known[1].at <= look.at - LOOK_BACK_MS) known.shift();
      return { startedAt, known };
    }

    /**
     * Return what *rows* do in a minute together; null when none of them has told anything yet.
     * @returns {{ended: number, calls: number, tokens: number}|null}
     */
    function perMinute(rows) {
      const speeds = rows.map((row) => looks.get(row.map_index)?.known).filter((known) => known?.length > 1);
      if (!speeds.length) return null;
      const sum = { ended: 0, calls: 0, tokens: 0 };
      for (const known of speeds) {
        const [first, last] = [known[0], known.at(-1)];
        for (const name of Object.keys(sum)) sum[name] += ((last[name] - first[name]) / (last.at - first.at)) * 60_000;
      }
      return sum;
    }

    return { see, perMinute };
  }

  /** Return about how many conversations are left: what the plan expects, or may judge, without what has ended. */
  function left(plan, rows) {
    const gone = rows.map((row) => (row.is_done ? row.expected : Math.min(row.expected, ended(row.tally))));
    const open = plan.expected - gone.reduce((sum, count) => sum + count, 0);
    const most = plan.forecast?.conversations ?? plan.expected;
    // Each segment of a scan is rounded up: only what is less than that is a limit, by the Param max_conversations.
    if (most > plan.expected - plan.segments) return Math.max(0, open);
    const { outcomes } = total(rows.map((row) => row.tally));
    return Math.max(0, Math.min(open, most - JUDGED.reduce((sum, name) => sum + (outcomes[name] ?? 0), 0)));
  }

  /**
   * Return for how many seconds the judging may go on, and by what that is known.
   * @returns {{seconds: number, by: "pace"|"quota"}|null} null when nothing can be said
   */
  function remaining(plan, rows, speed) {
    const conversations = left(plan, rows);
    if (!conversations) return null;
    if (speed?.ended > 0) return { seconds: (conversations / speed.ended) * 60, by: "pace" };
    const hasBegun = rows.some((row) => ended(row.tally) > 0);
    return hasBegun || !plan.forecast?.minutes ? null : { seconds: plan.forecast.minutes * 60, by: "quota" };
  }

  return { ended, total, begun, doing, speedometer, remaining };
})();
