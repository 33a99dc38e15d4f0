"use strict";

/** What was published, as the page reads it: tables of rows by name, in the order in which they are read, and what values are called. */
const published = (() => {
  const POOLED = "(few)"; // the row of values that readers are not told apart
  const UNKNOWN = "unknown";
  const OUTCOMES = ["evaluated", "quarantined", "pending"];
  // The columns that tell use apart by one value, and the table of each.
  const DIMENSIONS = {
    department: "department_usage", user_group: "user_group_usage", app_model: "app_model_usage", language: "language_usage",
  };

  /** Compare by the first of *keys* that differs; null comes last. */
  const by = (...keys) => (one, other) => {
    for (const key of keys) {
      const [a, b] = [key(one), key(other)];
      if (a === b) continue;
      if (a === null) return 1;
      if (b === null) return -1;
      return a < b ? -1 : 1;
    }
    return 0;
  };
  const column = (name) => (row) => row[name];
  const most = (name) => (row) => -(row[name] ?? 0);
  const bySize = (name) => by((row) => row[name] === POOLED, (row) => row[name] === UNKNOWN, most("conversations"), column(name));

  // The order in which each table is read, what is pooled last; files keep none.
  const ORDER = {
    category_counts: bySize("category"),
    category_shares: bySize("category"),
    category_trends: by(column("period"), (row) => row.category === POOLED, most("conversations"), column("category")),
    category_by_group: by(column("month"), most("conversations"), column("category"), column("value")),
    score_by_category: bySize("category"),
    score_distribution: by((row) => (row.inquiry_score === null ? null : -row.inquiry_score)),
    ...Object.fromEntries(Object.entries(DIMENSIONS).map(([name, table]) => [table, bySize(name)])),
    hour_usage: by(column("hour")),
    hour_by_weekday: by(column("month"), column("weekday"), column("hour")),
    weekday_usage: by(column("weekday")),
    daily_usage: by(column("week"), column("day")),
    weekly_usage: by(column("week")),
    monthly_usage: by(column("month")),
    concentration: by(column("share_of_use")),
    usage_by_user: by((row) => row.user_pseudonym === UNKNOWN, most("conversations"), column("user_pseudonym")),
    model_cost: by(most("cost_micro_usd"), column("model"), column("answered_by")),
    evaluation_quality: by(
      (row) => OUTCOMES.indexOf(row.outcome), most("conversations"), column("reason"), column("model"), column("prompt_version"),
    ),
    failures: by(most("conversations"), column("reason"), column("model"), column("prompt_version")),
  };

  /**
   * Return *report* with its tables as rows.
   * @param {object} report report.json: a table is {columns: names, rows: arrays}
   */
  function read(report) {
    const tables = Object.fromEntries(Object.keys(ORDER).map((name) => [name, rows(report.tables[name]).sort(ORDER[name])]));
    return { ...report, tables };
  }

  const rows = (table) =>
    (table?.rows ?? []).map((values) => Object.fromEntries(table.columns.map((name, index) => [name, values[index]])));

  /** Return what a category is called; its key where the taxonomy no longer knows it. */
  function category(data, key) {
    if (key === POOLED) return value(data, key);
    const known = Object.hasOwn(data.labels, key) ? data.labels[key] : {};
    return straight(known[words.language] ?? key);
  }

  /** Return a value of any other column: itself, or words for those that stand for none. */
  function value(data, text) {
    if (text === POOLED) return words.text("pooled");
    if (text === UNKNOWN || text === null) return words.text("unknown_value");
    return straight(String(text));
  }

  /** Return *text* without what turns the direction of the sentence around it, and with it the digits of a number there. */
  const straight = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");

  /** Return what a value of *dimension* is called: a language by its name, any other as it is. */
  function member(data, dimension, text) {
    // Intl throws at a tag of another form; what a chat tool stores may have any.
    if (dimension !== "language" || !/^[a-z]{2,3}(-[A-Za-z]{4})?(-[A-Za-z]{2})?$/.test(text ?? "")) return value(data, text);
    return new Intl.DisplayNames(words.language, { type: "language" }).of(text);
  }

  /** True for a value that names something: neither pooled nor unknown. */
  const isNamed = (text) => text !== POOLED && text !== UNKNOWN && text !== null;

  /** Return how many conversations, and how many people where that is told, as lines of text. */
  function counts({ conversations, users }) {
    const people = users === null || users === undefined ? [] : [words.counted("people", users)];
    return [words.counted("conversations", conversations), ...people];
  }

  const sum = (all, name) => all.reduce((total, row) => total + (row[name] ?? 0), 0);

  /** True where no group is hidden: what has no row was then asked by nobody. */
  const hidesNothing = (data) => data.min_users === 0;

  return { POOLED, UNKNOWN, OUTCOMES, DIMENSIONS, read, category, value, member, isNamed, counts, sum, hidesNothing };
})();
