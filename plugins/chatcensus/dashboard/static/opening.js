"use strict";

/** The top of the report: what it finds, of when it is, and the four numbers to remember. */
const opening = (() => {
  const { h } = elements;
  const STAND_IN = "stand-in";
  const NOBODY = "nobody"; // where a conversation was quarantined without a call

  function draw(data) {
    const notice = noticeOf(data.answered_by);
    return h(
      "div", { class: "opening" },
      h("h1", { dir: "auto" }, finding(data).map((sentence) => h("span", null, sentence))),
      h("p", { class: "lead" }, asOf(data).join(words.text("between_sentences"))),
      notice && elements.notice(words.text(notice)),
      !custody.holds(data) && elements.notice(words.text("chain_broken")),
      numbers(data),
    );
  }

  /** Return the finding, as sentences that each begin a line. */
  function finding(data) {
    const { conversations, evaluated } = data.totals;
    const rows = data.tables.category_counts;
    const told = rows.filter(changes.isOfCategory);
    const count = words.counted("conversations", conversations);
    if (!conversations) return [words.text("finding_empty")];
    if (!told.length) {
      const reason = !evaluated ? "unjudged" : rows.length ? "pooled" : "early";
      return [words.text(`finding_${reason}`, { conversations: count })];
    }
    return [
      words.text("finding_count", { conversations: count, categories: words.counted("categories", told.length) }),
      words.text("finding_most", { label: published.category(data, told[0].category), share: words.percent(told[0].share, 0) }),
    ];
  }

  function noticeOf(answeredBy) {
    if (!answeredBy.includes(STAND_IN)) return null;
    return answeredBy.some((name) => name !== STAND_IN && name !== NOBODY) ? "notice_some" : "notice_all";
  }

  function asOf(data) {
    const complete = periods.plus(data.told_until, -1);
    const latest = latestWeek(data);
    const last = latest ? periods.plus(latest.week, 6) : complete;
    const isHiding = !published.hidesNothing(data);
    return [
      words.text("as_of", { time: words.moment(data.export_time, data.timezone) }),
      words.text("told_until", { last_day: words.day(last) }),
      isHiding && last < complete && words.text("weeks_wait"),
      isHiding && words.text("told_apart", { min_users: data.min_users }),
    ].filter(Boolean);
  }

  const latestWeek = (data) => data.tables.weekly_usage[data.tables.weekly_usage.length - 1] ?? null;

  function numbers(data) {
    const week = latestWeek(data);
    const people = sectionPeople.people(data);
    const number = (label, value, unit) =>
      h("div", null, h("dt", null, label), h("dd", null, value, unit && [" ", h("small", null, unit)]));
    const mean = (row) => words.text(row.weeks > 1 ? "mean_score_weeks" : "mean_score_week", { day: words.day(row.week) });
    return h(
      "dl", { class: "figures" },
      number(words.text("evaluated"), words.number(data.totals.evaluated)),
      people !== null && number(words.text("people"), words.number(people)),
      week && number(mean(week), words.score(week.mean_inquiry_score), words.text("of_five")),
      number(words.text("cost"), words.usdRounded(data.cost_micro_usd), "USD"),
    );
  }

  return { draw };
})();
