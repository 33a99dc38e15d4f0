"use strict";

/** The shares of the categories, and how they change: what the first section says, as numbers. */
const changes = (() => {
  const isOfCategory = (row) => row.category !== published.POOLED;

  /** Return the grain in which more categories are told apart: weeks where both tell as many; null where neither does. */
  function grain(data) {
    const told = (each) => data.tables.category_trends.filter((row) => row.grain === each && isOfCategory(row));
    const [weeks, months] = ["week", "month"].map((each) => new Set(told(each).map((row) => row.category)).size);
    if (!weeks && !months) return null;
    return weeks >= months ? "week" : "month";
  }

  /** Return the rows of one period of category_trends: of *period*, or where that is all, of the latest. */
  function ofPeriod(data, period) {
    const by = period.grain === "all" ? grain(data) : period.grain;
    const rows = data.tables.category_trends.filter((row) => row.grain === by);
    const first = period.grain === "all" ? rows[rows.length - 1]?.period : period.first;
    return rows.filter((row) => row.period === first);
  }

  /** Return the changes that are more than noise, largest first. */
  const real = (rows) => rows
    .filter((row) => isOfCategory(row) && row.is_more_than_noise === true)
    .sort((one, other) => Math.abs(other.change) - Math.abs(one.change));

  /**
   * Return the categories of what the reader asked for, largest first.
   *
   * Shape: rows as in category_counts, with corrected shares where there is a gold set; of a week or month as in
   * category_trends; of a group as in category_by_group, with previous_conversations of the month before.
   */
  function categories(data, { period, group }) {
    if (group) return ofGroup(data, period, group);
    if (period.grain !== "all") return ofPeriod(data, period);
    const latest = new Map(ofPeriod(data, period).map((row) => [row.category, row]));
    const shares = new Map(data.tables.category_shares.map((row) => [row.category, row]));
    return data.tables.category_counts.map((row) => {
      const trend = latest.get(row.category);
      return { ...shares.get(row.category), ...row, change: trend?.change ?? null, is_more_than_noise: trend?.is_more_than_noise ?? null };
    });
  }

  function ofGroup(data, period, group) {
    const told = filters.cells(data, group);
    const isBefore = (row) => periods.next.month(row.month) === period.first;
    const before = new Map(told.filter(isBefore).map((row) => [row.category, row.conversations]));
    return told
      .filter((row) => row.month === period.first)
      .map((row) => ({ ...row, previous_conversations: before.get(row.category) ?? null }));
  }

  /** Return the category whose course is shown: the one asked for, else the largest change, else the largest category. */
  function chosen(data, { period, group, category }) {
    const rows = categories(data, { period, group }).filter(isOfCategory);
    const told = group ? filters.cells(data, group).filter(isOfCategory) : courses(data, period);
    const isTold = (row) => told.some((each) => each.category === row.category);
    if (isTold({ category })) return category;
    const largest = group ? [] : real(ofPeriod(data, period));
    return [...largest, ...rows, ...told].find(isTold)?.category ?? null;
  }

  /** Return the rows of category_trends whose course can be shown beside *period*: by month for a month, else by week where told. */
  function courses(data, period) {
    const by = period.grain === "month" ? "month" : grain(data);
    return data.tables.category_trends.filter((row) => row.grain === by && isOfCategory(row));
  }

  /** Return how the last row of a course compares with its first: their intervals apart, or not. */
  function direction(first, last) {
    if (last.share_low > first.share_high) return "up";
    return last.share_high < first.share_low ? "down" : "same";
  }

  return { isOfCategory, grain, ofPeriod, real, categories, chosen, courses, direction };
})();
