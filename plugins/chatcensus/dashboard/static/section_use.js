"use strict";

/** What we use AI for: categories by volume, their latest changes, and the course of one. */
const sectionUse = (() => {
  function draw(data, asked) {
    return figure.section("use", volume(data, asked), asked.group ? null : change(data, asked), course(data, asked));
  }

  function volume(data, asked) {
    const rows = changes.categories(data, asked);
    const named = rows.filter(changes.isOfCategory);
    const label = (row) => published.category(data, row.category);
    const names = asked.group
      ? ["category", "conversations", "previous_conversations", "users", "mean_inquiry_score"]
      : asked.period.grain === "all"
        ? ["category", "conversations", "share", "users", "mean_inquiry_score", "change", "is_more_than_noise"]
        : ["category", "conversations", "share", "share_low", "share_high", "previous_share", "change", "users"];
    const bars = rows.map((row) => ({
      label: label(row),
      value: asked.group ? row.conversations : row.share,
      before: (asked.group ? row.previous_conversations : row.previous_share) ?? null,
      note: asked.group ? null : words.counted("conversations", row.conversations),
      isQuiet: !changes.isOfCategory(row),
      details: published.counts(row),
    }));
    return figure.make(data, {
      id: "categories",
      finding: volumeFinding(data, asked, named),
      lead: volumeLead(data, asked, rows),
      source: filters.source(data, asked),
      caption: words.text(asked.group ? "categories_caption_group" : "categories_caption"),
      names, rows,
      chart: {
        kind: "bars", rows: bars,
        format: asked.group ? (value) => words.number(value) : (value) => words.percent(value),
        axis: words.text(asked.group ? "conversations" : "share_axis"),
        ...(bars.some(({ before }) => before !== null) ? { before: words.text("before_mark") } : {}),
      },
    });
  }

  function volumeFinding(data, { period, group }, named) {
    const [first] = named;
    if (group) {
      const values = { who: published.member(data, group.dimension, group.value), when: words.month(period.first) };
      if (!first) return words.text("use_untold_group", values);
      const conversations = words.counted("conversations", first.conversations);
      return words.text("use_most_group", { ...values, label: published.category(data, first.category), conversations });
    }
    if (!first) return words.text("use_untold");
    return words.text("use_most", { label: published.category(data, first.category), share: words.percent(first.share) });
  }

  function volumeLead(data, { period, group }, rows) {
    const split = data.is_split && words.text("split_lead");
    if (group) return [words.text("group_lead"), !published.hidesNothing(data) && words.text("group_absent"), split];
    if (period.grain !== "all") return [words.text("categories_lead"), split];
    const latest = changes.ofPeriod(data, period).find((row) => row.change !== null);
    return [
      words.text("categories_lead"),
      words.text("coverage_lead", { coverage: words.percent(rows[0]?.coverage) }),
      latest && words.text("change_is_of", { when: periods.name(latest.period, latest.grain) }),
      split,
    ];
  }

  function change(data, asked) {
    const rows = changes.ofPeriod(data, asked.period);
    if (!rows.some(changes.isOfCategory)) return null;
    const latest = { grain: rows[0].grain, first: rows[0].period };
    const compared = rows.filter((row) => row.change !== null);
    const sorted = [...compared].sort((one, other) => other.change - one.change);
    return figure.make(data, {
      id: "changes",
      finding: changeFinding(data, rows, latest),
      lead: changeLead(data, rows, latest),
      source: filters.source(data, { period: latest }),
      caption: words.text("changes_caption", { when: filters.periodText(latest) }),
      names: ["category", "previous_share", "share", "change", "change_low", "change_high", "is_more_than_noise"],
      rows: compared,
      chart: {
        kind: "intervals",
        rows: sorted.map((row) => ({
          label: published.category(data, row.category),
          value: row.change, low: row.change_low, high: row.change_high, isQuiet: row.is_more_than_noise !== true,
          details: [words.text("from_to", { before: words.percent(row.previous_share), share: words.percent(row.share) })],
        })),
        format: (value) => words.points(value),
        dot: words.text("change"), interval: words.text("interval"),
      },
    });
  }

  function changeFinding(data, rows, latest) {
    const when = periods.name(latest.first, latest.grain);
    if (rows.every((row) => row.change === null)) return words.text(`trend_first_${latest.grain}`, { when });
    const [first] = changes.real(rows);
    if (!first) return words.text("change_none", { when });
    const values = {
      label: published.category(data, first.category), when,
      before: words.percent(first.previous_share), share: words.percent(first.share),
    };
    return words.text(first.change > 0 ? "change_up" : "change_down", values);
  }

  function changeLead(data, rows, latest) {
    const others = changes.real(rows).length - 1;
    return [
      others > 0 && words.counted("change_others", others),
      words.text("trend_noise"),
      !published.hidesNothing(data) && words.text(`${latest.grain}s_together`),
    ];
  }

  function course(data, asked) {
    const category = changes.chosen(data, asked);
    if (category === null) return null;
    return asked.group ? courseOfGroup(data, asked, category) : courseOfAll(data, asked, category);
  }

  function courseOfAll(data, asked, category) {
    const all = changes.courses(data, asked.period);
    const rows = all.filter((row) => row.category === category);
    const label = published.category(data, category);
    const grain = rows[0].grain;
    const steps = [...new Set(all.map((row) => row.period))];
    const labels = periods.axis(steps, grain);
    const [first, last] = [rows[0], rows[rows.length - 1]];
    const finding = rows.length === 1
      ? words.text("course_one", { label, share: words.percent(last.share), when: periods.name(last.period, grain) })
      : words.text(`course_${changes.direction(first, last)}`, {
        label,
        first: periods.name(first.period, grain), before: words.percent(first.share),
        last: periods.name(last.period, grain), share: words.percent(last.share),
      });
    const known = new Map(all.map((row) => [`${row.category}\n${row.period}`, row]));
    const share = (each, step) => known.get(`${each}\n${step}`)?.share ?? null;
    const others = [...new Set(all.map((row) => row.category))].filter((each) => each !== category);
    return figure.make(data, {
      id: "course", finding, control: picker(data, all, category),
      source: filters.source(data, {}, courseText(steps, grain)),
      caption: words.text(`course_caption_${grain}`, { label }),
      names: ["period", "conversations", "users", "share", "share_low", "share_high", "change", "is_more_than_noise"],
      rows,
      chart: steps.length > 1 && {
        kind: "line", line: label, band: words.text("interval"), axis: words.text("share_axis"),
        format: (value) => words.percent(value), tick: words.percentTick,
        others: { label: words.text("other_categories"), lines: others.map((each) => steps.map((step) => share(each, step))) },
        points: steps.map((step) => {
          const row = known.get(`${category}\n${step}`);
          return {
            label: labels.get(step), name: periods.label(step, grain),
            value: row?.share ?? null, low: row?.share_low ?? null, high: row?.share_high ?? null,
            details: row ? [words.counted("conversations", row.conversations)] : [],
          };
        }),
      },
    });
  }

  function courseText(steps, grain) {
    const first = periods.label(steps[0], grain);
    return steps.length > 1 ? words.text("from_until", { first, last: periods.label(steps[steps.length - 1], grain) }) : first;
  }

  function courseOfGroup(data, asked, category) {
    const all = filters.cells(data, asked.group);
    const rows = all.filter((row) => row.category === category);
    const label = published.category(data, category);
    const told = new Map(rows.map((row) => [row.month, row.conversations]));
    const known = new Set(published.hidesNothing(data) ? data.tables.category_by_group.map((row) => row.month) : []);
    const steps = periods.between(all[0].month, all[all.length - 1].month, "month");
    const last = rows.find((row) => row.month === asked.period.first) ?? rows[rows.length - 1];
    return figure.make(data, {
      id: "course", control: picker(data, all, category),
      finding: words.text("course_group", {
        label, conversations: words.counted("conversations", last.conversations), when: words.month(last.month),
        who: published.member(data, asked.group.dimension, asked.group.value),
      }),
      lead: [!published.hidesNothing(data) && words.text("group_gaps")],
      source: filters.source(data, { group: asked.group }, courseText(steps, "month")),
      caption: words.text("course_caption_group", { label }),
      names: ["month", "conversations", "users", "mean_inquiry_score"], rows,
      chart: {
        kind: "line", line: label, format: (value) => words.number(value), tick: words.tick, axis: words.text("conversations"),
        points: steps.map((step) => ({ label: words.month(step), value: told.get(step) ?? (known.has(step) ? 0 : null) })),
      },
    });
  }

  /** Return the choice of the category whose course is shown. */
  function picker(data, rows, category) {
    const keys = [...new Set(rows.filter(changes.isOfCategory).map((row) => row.category))];
    const named = keys.map((key) => [key, published.category(data, key)]);
    const options = named.sort(([, one], [, other]) => one.localeCompare(other, words.language));
    return elements.choice({
      id: "category", label: words.text("course_of"), options, value: category, onChange: (value) => frame.write({ category: value }),
    });
  }

  return { draw };
})();
