"use strict";

/** Days, weeks and months as the tables tell them: some rows hold several, and not every period has a row. */
const periods = (() => {
  const COLUMNS_SHOWN = 62; // days in a chart before it shows weeks, then months
  const WEEKS_BY_DAY = 30; // weeks at an axis before it names their months
  const DAY_MS = 86_400_000;
  const GRAINS = { daily_usage: "day", weekly_usage: "week", monthly_usage: "month" };

  /** Return how many days of few people a row of daily_usage holds beside its own, or weeks one of weekly_usage. */
  function more(row) {
    if (!("day" in row)) return row.weeks - 1;
    return row.day === null ? 0 : row.days - 1;
  }

  /** Return the name of a row of daily_usage. */
  function dayOf(row) {
    if (row.day === null) return words.text("days_of_week", { week: words.day(row.week) });
    return andMore(words.day(row.day), row, "more_days");
  }

  /** Return the name of a row of weekly_usage; *write* gives that of its week. */
  const weekOf = (row, write = words.week) => andMore(write(row.week), row, "more_weeks");

  const andMore = (period, row, noun) =>
    more(row) > 0 ? words.text("period_and_more", { period, more: words.counted(noun, more(row)) }) : period;

  const hourText = (hour) => `${String(hour).padStart(2, "0")}:00`;

  const next = {
    day: (iso) => plus(iso, 1),
    week: (iso) => plus(iso, 7),
    month: (iso) => plus(`${iso.slice(0, 7)}-01`, 31).slice(0, 7) + "-01",
  };
  /** Return the day so many *days* after another, as ISO text. */
  const plus = (iso, days) => new Date(Date.parse(`${iso}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

  /** Return every period from *first* to *last*, as ISO days. */
  function between(first, last, grain) {
    const all = [];
    for (let period = first; period <= last; period = next[grain](period)) all.push(period);
    return all;
  }

  /** Return a period's name in a sentence, and as a label. */
  const name = (iso, grain) => ({ day: words.day, week: words.week, month: words.month })[grain](iso);
  const label = (iso, grain) => (grain === "week" ? words.weekLabel(iso) : name(iso, grain));

  /** Return the short name of each of *steps* for an axis: the day, or where there are many weeks, their month. */
  function axis(steps, grain) {
    const write = grain === "month" || (grain === "week" && steps.length > WEEKS_BY_DAY) ? words.month : words.dayShort;
    return new Map(steps.map((step) => [step, write(step)]));
  }

  /** Return the points of a chart of *column* over the weeks of weekly_usage, with a gap for each that has no row. */
  function weekPoints(rows, column) {
    const told = new Map(rows.map((row) => [row.week, row]));
    const steps = between(rows[0].week, rows[rows.length - 1].week, "week");
    const labels = axis(steps, "week");
    return steps.map((step) => {
      const row = told.get(step);
      return { label: labels.get(step), name: row ? weekOf(row, words.weekLabel) : words.weekLabel(step), value: row?.[column] ?? null };
    });
  }

  /**
   * Return the rows of daily_usage, weekly_usage or monthly_usage that the chart of time shows: days, or where these are
   * too many, weeks, then months; of a month or week, its days.
   * @returns {{table: string, grain: string, rows: object[]}|null} null where no period is told
   */
  function usage(data, period) {
    let found = null;
    for (const [table, grain] of Object.entries(GRAINS)) {
      const told = within(data, period, table);
      const dated = told.filter((row) => row[grain] !== null);
      if (!dated.length) continue;
      found = { table, grain, rows: told };
      if (between(dated[0][grain], dated[dated.length - 1][grain], grain).length <= COLUMNS_SHOWN) break;
    }
    return found;
  }

  /** Return the rows of a table of time that lie in *period*; a week of category_trends may hold several of weekly_usage. */
  function within(data, { grain, first }, table) {
    const rows = data.tables[table];
    if (grain === "all") return rows;
    const isIn = (row) => (grain === "month" ? row.month === first : isOfWeek(data, row.week, first));
    const mondays = new Set(data.tables.weekly_usage.filter(isIn).map((row) => row.week));
    return rows.filter((row) => (table === "monthly_usage" ? grain === "month" && row.month === first : mondays.has(row.week)));
  }

  function isOfWeek(data, monday, first) {
    const before = filters.weeks(data).filter((each) => each < first).pop() ?? plus(first, -7);
    return monday > before && monday <= first;
  }

  return { more, plus, dayOf, weekOf, hourText, next, between, name, label, axis, weekPoints, usage, within };
})();
