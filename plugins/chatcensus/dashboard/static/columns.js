"use strict";

/** The columns of the tables: what each is called, and how its values are written. */
const columns = (() => {
  const code = (label) => ({ label, kind: "code", write: (value) => value ?? words.NONE });
  const number = (label) => ({ label, kind: "number", write: (value) => words.number(value) });
  const share = (label) => ({ label, kind: "number", write: (value) => words.percent(value) });
  const points = (label) => ({ label, kind: "number", write: (value) => words.points(value) });
  const score = (label) => ({ label, kind: "number", write: (value) => words.score(value) });
  const usd = (label) => ({ label, kind: "number", write: (value) => words.usd(value) });
  const day = (label) => ({ label, kind: "number", write: (value) => words.day(value) });
  const member = (dimension) => ({ label: dimension, write: (value, row, data) => published.member(data, dimension, value) });

  const COLUMNS = {
    category: { label: "category", write: (value, row, data) => published.category(data, value) },
    ...Object.fromEntries(Object.keys(published.DIMENSIONS).map((dimension) => [dimension, member(dimension)])),
    period: { label: "period", write: (value, row) => (row.grain === "month" ? words.month(value) : words.day(value)) },
    month: { label: "month", write: (value) => words.month(value) },
    week: { label: "week", write: (value, row) => periods.weekOf(row, words.day) },
    day: { label: "day", write: (value, row) => periods.dayOf(row) },
    weekday: { label: "weekday", write: (value) => words.text(`weekday_${value}`) },
    hour: { label: "hour", write: (value) => (value === null ? words.text("pooled_hours") : periods.hourText(value)) },
    inquiry_score: { label: "score", write: (value) => (value === null ? words.text("pooled_scores") : String(value)) },
    outcome: { label: "outcome", write: (value) => words.text(value) },
    user_pseudonym: {
      label: "user", kind: "code", write: (value) => (value === published.UNKNOWN ? words.text("unknown_user") : value),
    },
    model: code("model"),
    answered_by: code("answered_by"),
    prompt_version: code("prompt_version"),
    reason: code("reason"),
    replay: code("replay"),
    conversations: number("conversations"),
    previous_conversations: number("conversations_before"),
    users: number("people"),
    evaluated: number("evaluated"),
    quarantined: number("quarantined"),
    pending: number("pending"),
    days: number("days"),
    conversations_per_day: { label: "a_day", kind: "number", write: (value) => words.number(value, 1) },
    attempts: number("attempts"),
    first_attempt: number("first_attempt"),
    clipped: number("clipped"),
    input_tokens: number("input_tokens"),
    output_tokens: number("output_tokens"),
    share: share("share"),
    share_low: share("low"),
    share_high: share("high"),
    previous_share: share("share_before"),
    corrected_share: share("corrected_share"),
    corrected_low: share("low"),
    corrected_high: share("high"),
    coverage: share("coverage"),
    share_of_use: share("share_of_use"),
    share_of_users: share("share_of_users"),
    change: points("change"),
    change_low: points("low"),
    change_high: points("high"),
    is_more_than_noise: {
      label: "verdict", write: (value) => (value === null ? words.NONE : words.text(value ? "more_than_noise" : "within_noise")),
    },
    mean_inquiry_score: score("mean"),
    mean_low: score("low"),
    mean_high: score("high"),
    cost_micro_usd: usd("cost_usd"),
    last_day: day("last_day"),
    first_seen: { label: "first_seen", kind: "number", write: (value, row, data) => words.dayOf(value, data.timezone) },
    last_seen: { label: "last_seen", kind: "number", write: (value, row, data) => words.dayOf(value, data.timezone) },
  };

  /**
   * Return the table of *rows*, as `elements.table` takes it.
   * @param {{names: string[], rows: object[], caption: string, data: object}} spec
   */
  function table({ names, rows, caption, data }) {
    const shown = names.map((name) => COLUMNS[name]);
    return {
      caption,
      columns: shown.map(({ label, kind }) => ({ label: words.text(label), kind })),
      rows: rows.map((row) => shown.map(({ write }, index) => write(row[names[index]], row, data))),
    };
  }

  return { table };
})();
