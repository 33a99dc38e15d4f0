"use strict";

/**
 * What the reader asked to see. Groups are told one at a time and by month: other crossings could tell of few people.
 *
 * Shape: {period: {grain: "all"|"month"|"week", first: ISO day|null}, group: {name, dimension, value}|null, category: key|null};
 * in the fragment: `period=2026-10` or `period=2026-10-05`, `department=…`, `language=…`, `model=…`, `category=…`.
 */
const filters = (() => {
  const ALL = "";
  const GROUPS = { department: "department", language: "language", model: "app_model" };
  const EVERYTHING = { grain: "all", first: null };

  /** Return the filters that *settings* of the fragment ask for; what is not told is not filtered by. */
  function parse(settings, data) {
    const group = Object.entries(GROUPS)
      .map(([name, dimension]) => ({ name, dimension, value: settings[name] ?? ALL }))
      .find(({ name, value }) => value !== ALL && values(data, name).includes(value)) ?? null;
    const asked = period(settings.period ?? ALL);
    const isTold = { all: () => true, month: () => months(data).includes(asked.first), week: () => weeks(data).includes(asked.first) };
    const told = isTold[asked.grain]() ? asked : EVERYTHING;
    return { period: group && told.grain !== "month" ? latest(data, group) : told, group, category: settings.category ?? null };
  }

  function period(text) {
    if (/^\d{4}-\d\d$/.test(text)) return { grain: "month", first: `${text}-01` };
    if (/^\d{4}-\d\d-\d\d$/.test(text)) return { grain: "week", first: text };
    return EVERYTHING;
  }

  /** Return how a period is written in the fragment. */
  const written = ({ grain, first }) => (grain === "all" ? ALL : grain === "month" ? first.slice(0, 7) : first);

  const cells = (data, { dimension, value }) =>
    data.tables.category_by_group.filter((row) => row.dimension === dimension && row.value === value);

  function latest(data, group) {
    const told = cells(data, group);
    return { grain: "month", first: told[told.length - 1].month };
  }

  const distinct = (values) => [...new Set(values)].sort();

  /** Return the first days of the months of which something is told apart. */
  const months = (data) => distinct([
    ...data.tables.category_trends.filter((row) => row.grain === "month").map((row) => row.period),
    ...data.tables.category_by_group.map((row) => row.month),
    ...data.tables.hour_by_weekday.map((row) => row.month),
  ]);

  /** Return the Mondays of the weeks by which categories are told. */
  const weeks = (data) => distinct(data.tables.category_trends.filter((row) => row.grain === "week").map((row) => row.period));

  /** Return the values of the group called *name* that are told by month. */
  const values = (data, name) => distinct(
    data.tables.category_by_group.filter((row) => row.dimension === GROUPS[name] && row.value !== published.POOLED).map((row) => row.value),
  );

  /**
   * Return what the fragment must change to when *name* is set to *value*, and why more than that changes.
   * @returns {{changes: Object<string, string|null>, note: string|null}} *note* is for the reader
   */
  function choose(name, value, data, now) {
    const others = Object.fromEntries(Object.keys(GROUPS).filter((each) => each !== name).map((each) => [each, null]));
    const chosen = value === ALL ? null : value;
    if (name === "period") {
      const endsGroup = now.group !== null && period(value).grain !== "month";
      if (!endsGroup) return { changes: { period: chosen }, note: null };
      return { changes: { ...others, period: chosen }, note: words.text("note_group_ends") };
    }
    if (chosen === null) return { changes: { [name]: null }, note: null };
    const next = now.period.grain === "month" ? now.period : latest(data, { dimension: GROUPS[name], value });
    const notes = [
      now.period.grain === "month" ? null : words.text("note_month", { month: words.month(next.first) }),
      now.group && now.group.name !== name ? words.text("note_one_group") : null,
    ].filter(Boolean);
    return { changes: { ...others, [name]: value, period: written(next) }, note: notes.join(" ") || null };
  }

  /** Return the name of a period for a label. */
  function periodText({ grain, first }) {
    if (grain === "all") return words.text("all_weeks");
    return periods.label(first, grain);
  }

  /** Return the name of a group, with its kind. */
  const groupText = (data, group) => words.text("group_is", {
    kind: words.text(group.dimension), value: published.member(data, group.dimension, group.value),
  });

  /** Return the line below a chart: of which snapshot it is, of whom and of when. */
  function source(data, { period: shown = EVERYTHING, group = null } = {}, when = periodText(shown)) {
    return words.text("source", {
      export_id: data.export_id,
      day: words.dayOf(data.export_time, data.timezone),
      who: group ? groupText(data, group) : words.text("everyone"),
      when,
    });
  }

  return { ALL, GROUPS, parse, written, cells, months, weeks, values, choose, periodText, source };
})();
