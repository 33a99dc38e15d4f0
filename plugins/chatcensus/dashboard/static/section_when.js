"use strict";

/** When people ask: use over time, hours of the days of the week, hours, and days of the week. */
const sectionWhen = (() => {
  const { sum } = published;
  const HOURS = [...Array(24).keys()];
  const WEEKDAYS = [1, 2, 3, 4, 5, 6, 7];

  const conversations = (row) => words.counted("conversations", row.conversations);
  const people = (row) => (row.users === null ? [] : [words.counted("people", row.users)]);

  function draw(data, asked) {
    const all = [overTime(data, asked), heat(data, asked), hours(data), weekdays(data)].filter(Boolean);
    return figure.section("when", ...(all.length ? all : [elements.h("p", { class: "lead" }, words.text("nothing"))]));
  }

  // With what is counted with a day or a week: a row of three weeks is no busy week.
  const nameOf = { day: periods.dayOf, week: (row) => periods.weekOf(row), month: (row) => words.month(row.month) };

  function overTime(data, asked) {
    const usage = periods.usage(data, asked.period);
    if (!usage) return null;
    const { table, grain, rows } = usage;
    const told = new Map(rows.filter((row) => row[grain] !== null).map((row) => [row[grain], row]));
    const dated = [...told.keys()];
    const [first, last] = [dated[0], dated[dated.length - 1]];
    const busiest = dated.reduce((best, each) => (told.get(each).conversations >= told.get(best).conversations ? each : best));
    return figure.make(data, {
      id: "usage",
      finding: words.text(`busiest_${grain}`, { busiest: nameOf[grain](told.get(busiest)), conversations: conversations(told.get(busiest)) }),
      lead: [
        words.text("usage_lead", { first: periods.name(first, grain), last: periods.name(last, grain), timezone: data.timezone }),
        ...notes(data, rows, grain),
      ],
      source: filters.source(data, { period: asked.period }), caption: words.text(`${table}_caption`),
      names: [
        grain, "conversations", "evaluated", "quarantined", "pending", "coverage", "users",
        ...(grain === "day" ? [] : ["mean_inquiry_score"]),
      ],
      rows,
      chart: {
        kind: "columns", format: (value) => words.number(value), tick: words.tick, axis: words.text("conversations"),
        points: points(told, periods.between(first, last, grain), grain),
      },
    });
  }

  function points(told, steps, grain) {
    const labels = periods.axis(steps, grain);
    const full = { ...nameOf, week: (row) => periods.weekOf(row, words.weekLabel) };
    return steps.map((step) => {
      const row = told.get(step);
      const name = row ? full[grain](row) : periods.label(step, grain);
      return { label: labels.get(step), name, value: row?.conversations ?? null, details: row ? people(row) : [] };
    });
  }

  /** Return what must be said of the chart: that a column holds more than its own period, and what is in no column. */
  function notes(data, rows, grain) {
    const held = grain === "day" ? rows : data.tables.weekly_usage;
    const untold = grain === "day" ? sum(rows.filter((row) => row.day === null), "conversations") : 0;
    return [
      held.some((row) => periods.more(row) > 0) && words.text(`${grain}s_together`),
      untold > 0 && words.text("untold_days", { conversations: words.counted("conversations", untold) }),
    ];
  }

  /** Hours are told by month; of all weeks the latest month is shown, as sums over months would lack what single ones do not tell. */
  function heat(data, { period }) {
    const months = [...new Set(data.tables.hour_by_weekday.map((row) => row.month))];
    if (!months.length) return null;
    const month = period.grain === "month" ? period.first : months[months.length - 1];
    const rows = data.tables.hour_by_weekday.filter((row) => row.month === month);
    const best = rows.reduce((most, row) => (row.conversations > (most?.conversations ?? 0) ? row : most), null);
    const values = { when: words.month(month) };
    return figure.make(data, {
      id: "hour-by-weekday",
      finding: best
        ? words.text("heat_busiest", { ...values, cell: cellName(best.weekday - 1, best.hour), conversations: conversations(best) })
        : words.text("heat_untold", values),
      lead: [
        words.text("hours_lead", { timezone: data.timezone }),
        !published.hidesNothing(data) && words.text("heat_lead"),
        period.grain !== "month" && words.text("heat_latest"),
      ],
      source: filters.source(data, { period: { grain: "month", first: month } }), caption: words.text("heat_caption", values),
      names: ["weekday", "hour", "conversations", "users"], rows,
      chart: {
        kind: "heat", format: (value) => words.number(value), axis: words.text("conversations"),
        untold: words.text(published.hidesNothing(data) ? "no_conversations" : "untold_cell"),
        rows: WEEKDAYS.map((weekday) => words.text(`weekday_short_${weekday}`)), columns: HOURS.map(String), name: cellName,
        cells: rows.map((row) => ({ row: row.weekday - 1, column: row.hour, value: row.conversations, details: people(row) })),
      },
    });
  }

  const cellName = (weekday, hour) =>
    words.text("weekday_hour", { weekday: words.text(`weekday_${WEEKDAYS[weekday]}`), hour: periods.hourText(hour) });

  function hours(data) {
    const rows = data.tables.hour_usage;
    const told = new Map(rows.filter((row) => row.hour !== null).map((row) => [row.hour, row]));
    if (!told.size) return null;
    const untold = sum(rows.filter((row) => row.hour === null), "conversations");
    const busiest = [...told.values()].reduce((best, row) => (row.conversations > best.conversations ? row : best));
    return figure.make(data, {
      id: "hours",
      finding: words.text("busiest_hour", { hour: periods.hourText(busiest.hour), share: words.percent(busiest.share) }),
      lead: [
        words.text("hours_lead", { timezone: data.timezone }),
        untold > 0 && words.text("untold_hours", { conversations: words.counted("conversations", untold) }),
      ],
      source: filters.source(data), caption: words.text("hours_caption"),
      names: ["hour", "conversations", "share", "users", "mean_inquiry_score"], rows,
      chart: {
        kind: "columns", format: (value) => words.number(value), tick: words.tick, axis: words.text("conversations"),
        points: HOURS.map((hour) => ({
          label: String(hour), name: periods.hourText(hour),
          value: told.get(hour)?.conversations ?? (published.hidesNothing(data) ? 0 : null),
        })),
      },
    });
  }

  function weekdays(data) {
    const rows = data.tables.weekday_usage;
    if (!rows.length) return null;
    const busiest = rows.reduce((best, row) => (row.conversations_per_day > best.conversations_per_day ? row : best));
    const values = { weekday: words.text(`weekday_${busiest.weekday}`), count: words.number(busiest.conversations_per_day, 1) };
    const areAlone = data.tables.daily_usage.every((row) => periods.more(row) === 0);
    return figure.make(data, {
      id: "weekdays",
      finding: words.text("busiest_weekday", values),
      lead: [!areAlone && words.text("weekdays_lead")],
      source: filters.source(data), caption: words.text("weekdays_caption"),
      names: ["weekday", "conversations_per_day", "conversations", "days"], rows,
      chart: {
        kind: "bars", format: (value) => words.number(value, 1), axis: words.text("a_day_axis"),
        rows: rows.map((row) => ({
          label: words.text(`weekday_${row.weekday}`), value: row.conversations_per_day, note: words.counted("days", row.days),
        })),
      },
    });
  }

  return { draw };
})();
