"use strict";

/** How well we ask: the scores, their mean by category and by week. */
const sectionScores = (() => {
  const WELL = 4; // from this score on a question leaves little to guess
  const SCORES = [5, 4, 3, 2, 1];

  function draw(data, asked) {
    return figure.section("scores", distribution(data), byCategory(data, asked), byWeek(data, asked));
  }

  const isWhole = ({ tables: { score_distribution: told } }) =>
    told.length > 0 && told.every((row) => row.inquiry_score !== null) && Math.abs(published.sum(told, "share") - 1) < 1e-9;

  /** Return the rows of the scores, best first; a score without a row is a zero only where nothing is pooled or left out. */
  function scores(data) {
    const told = data.tables.score_distribution;
    if (!isWhole(data)) return told;
    const found = new Map(told.map((row) => [row.inquiry_score, row]));
    return SCORES.map((score) => found.get(score) ?? { inquiry_score: score, conversations: 0, users: 0, share: 0 });
  }

  function distribution(data) {
    const rows = scores(data);
    const told = rows.filter((row) => row.inquiry_score !== null);
    const well = told.filter((row) => row.inquiry_score >= WELL);
    const finding = told.length
      ? words.text(isWhole(data) ? "scores_well" : "scores_well_at_least", { share: words.percent(published.sum(well, "share"), 0) })
      : words.text(rows.length ? "scores_untold" : "scores_none");
    const coverage = words.percent(data.tables.score_distribution[0]?.coverage);
    return figure.make(data, {
      id: "score-distribution", finding, lead: [words.text("scores_lead"), words.text("coverage_lead", { coverage })],
      source: filters.source(data), caption: words.text("scores_caption"),
      names: ["inquiry_score", "conversations", "share", "users"], rows,
      chart: {
        kind: "bars", format: (value) => words.percent(value), axis: words.text("share_axis"),
        rows: rows.map((row) => ({
          label: row.inquiry_score === null ? words.text("pooled_scores") : words.text("score_is", { score: row.inquiry_score }),
          value: row.share, note: words.counted("conversations", row.conversations), isQuiet: row.inquiry_score === null,
        })),
      },
    });
  }

  function byCategory(data, asked) {
    const told = asked.group ? changes.categories(data, asked) : data.tables.score_by_category;
    const rows = [...told].sort((one, other) => other.mean_inquiry_score - one.mean_inquiry_score);
    if (!rows.length) return null;
    const scope = asked.group ? asked : {};
    return figure.make(data, {
      id: "score-by-category",
      finding: categoryFinding(data, asked, rows.filter(changes.isOfCategory)),
      lead: [asked.group !== null && words.text("means_without_interval")],
      source: filters.source(data, scope), caption: words.text("score_by_category_caption"),
      names: ["category", "conversations", "mean_inquiry_score", ...(asked.group ? [] : ["mean_low", "mean_high"])], rows,
      chart: {
        kind: "intervals", format: (value) => words.score(value), tick: words.tick, least: 1, most: 5,
        dot: words.text("mean_axis"), interval: words.text("interval"),
        rows: rows.map((row) => ({
          label: published.category(data, row.category),
          value: row.mean_inquiry_score, low: row.mean_low ?? null, high: row.mean_high ?? null,
          isQuiet: !changes.isOfCategory(row), details: [words.counted("conversations", row.conversations)],
        })),
      },
    });
  }

  /** Only where the intervals lie apart is one category said to be above another. */
  function categoryFinding(data, { group, period }, rows) {
    if (!rows.length) return words.text("scores_untold_category");
    const ends = [rows[0], rows[rows.length - 1]];
    const valuesOf = ([best, worst]) => ({
      best: published.category(data, best.category), high: words.score(best.mean_inquiry_score),
      worst: published.category(data, worst.category), low: words.score(worst.mean_inquiry_score),
    });
    if (rows.length === 1) return words.text("means_one", { label: valuesOf(ends).best, mean: valuesOf(ends).high });
    if (group) {
      const who = published.member(data, group.dimension, group.value);
      return words.text("means_group", { ...valuesOf(ends), who, when: words.month(period.first) });
    }
    if (areApart(...ends)) return words.text("means_apart", valuesOf(ends));
    const apart = farthest(rows);
    return areApart(...apart) ? words.text("means_differ", valuesOf(apart)) : words.text("means_same", valuesOf(ends));
  }

  const areApart = (best, worst) => best.mean_low !== null && worst.mean_high !== null && best.mean_low > worst.mean_high;

  /** Return the category whose interval begins highest, and the one whose interval ends lowest: few conversations make both wide. */
  const farthest = (rows) => [
    rows.reduce((best, row) => ((row.mean_low ?? 0) > (best.mean_low ?? 0) ? row : best)),
    rows.reduce((worst, row) => ((row.mean_high ?? 6) < (worst.mean_high ?? 6) ? row : worst)),
  ];

  function byWeek(data, asked) {
    const rows = periods.within(data, asked.period, "weekly_usage");
    if (!rows.length) return null;
    const last = rows[rows.length - 1];
    const before = rows[rows.length - 2];
    const values = { mean: words.score(last.mean_inquiry_score), when: periods.weekOf(last) };
    return figure.make(data, {
      id: "score-by-week",
      finding: before
        ? words.text("mean_week_before", { ...values, before: words.score(before.mean_inquiry_score) })
        : words.text("mean_week", values),
      lead: [words.text("mean_week_lead")],
      source: filters.source(data, { period: asked.period }), caption: words.text("score_by_week_caption"),
      names: ["week", "conversations", "mean_inquiry_score", "users"], rows,
      chart: rows.length > 1 && {
        kind: "line", line: words.text("mean_axis"), format: (value) => words.score(value), tick: words.tick, least: 1, most: 5,
        points: periods.weekPoints(rows, "mean_inquiry_score"),
      },
    });
  }

  return { draw };
})();
