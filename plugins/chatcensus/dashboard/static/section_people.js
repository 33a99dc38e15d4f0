"use strict";

/** Who asks, and how much: departments, groups, models, languages, the concentration of the use, and users where that is switched on. */
const sectionPeople = (() => {
  const USERS_SHOWN = 20;
  const HALF = 0.5;
  const MANY = 8; // values of a dimension that take the whole width

  function draw(data, asked) {
    const told = Object.keys(published.DIMENSIONS).map((dimension) => members(data, asked, dimension)).filter(Boolean);
    const pairs = told.length ? elements.h("div", { class: "pairs" }, told) : null;
    const all = [pairs, concentration(data), users(data)].filter(Boolean);
    return figure.section("people", ...(all.length ? all : [elements.h("p", { class: "lead" }, words.text("nothing"))]));
  }

  /** Return the figure of one dimension; null where it tells no known value apart. */
  function members(data, { group }, dimension) {
    const table = published.DIMENSIONS[dimension];
    const rows = data.tables[table];
    const named = rows.filter((row) => published.isNamed(row[dimension]));
    if (!named.length) return null;
    const label = (row) => published.member(data, dimension, row[dimension]);
    const isChosen = (row) => group?.dimension === dimension && group.value === row[dimension];
    return figure.make(data, {
      id: `by-${dimension.replace("_", "-")}`, isWide: rows.length > MANY,
      finding: words.text(`most_${dimension}`, { label: label(named[0]), share: words.percent(named[0].share) }),
      source: filters.source(data), caption: words.text(`${dimension}_caption`),
      names: [dimension, "conversations", "share", "users", "mean_inquiry_score"], rows,
      chart: {
        kind: "bars", format: (value) => words.percent(value), axis: words.text("share_axis"),
        rows: rows.map((row) => ({
          label: label(row), value: row.share,
          isQuiet: group?.dimension === dimension ? !isChosen(row) : !published.isNamed(row[dimension]),
          details: published.counts(row),
        })),
      },
    });
  }

  /** Return how many people there are: what the table divided by to get a share of them; null where it tells none. */
  function people(data) {
    const told = data.tables.concentration.filter((row) => row.share_of_users);
    const last = told[told.length - 1];
    return last ? Math.round(last.users / last.share_of_users) : null;
  }

  /** Return by how many people half of the use is; where these are too few to be told, the next part that is told. */
  function sentences(data) {
    const said = [];
    for (const row of data.tables.concentration.filter(({ share_of_use }) => share_of_use >= HALF)) {
      const share = row.share_of_use === HALF ? words.text("half") : words.percent(row.share_of_use, 0);
      if (row.users !== null) {
        const values = { share, users: words.number(row.users), people: words.counted("people", people(data) ?? 0) };
        return [...said, words.text("concentration", values)];
      }
      if (!said.length) said.push(words.text("concentration_untold", { share, min_users: data.min_users }));
    }
    return said;
  }

  function concentration(data) {
    const rows = data.tables.concentration;
    const [finding, ...lead] = sentences(data);
    if (!finding) return null;
    return figure.make(data, {
      id: "concentration", finding,
      lead: [...lead.map((text) => words.text("sentence", { text })), words.text("concentration_lead")],
      source: filters.source(data), caption: words.text("concentration_caption"),
      names: ["share_of_use", "users", "share_of_users"], rows,
      chart: {
        kind: "bars", format: (value) => words.percent(value), axis: words.text("share_of_users"),
        rows: rows.map((row) => ({
          label: words.text("use_is", { share: words.percent(row.share_of_use, 0) }), value: row.share_of_users,
          note: row.users === null ? words.text("under", { min_users: data.min_users }) : words.counted("people", row.users),
        })),
      },
    });
  }

  /** Return the users, most conversations first; what has no user is the last row. */
  function users(data) {
    const rows = data.tables.usage_by_user;
    if (!rows.length) return null;
    const known = rows.filter((row) => row.user_pseudonym !== published.UNKNOWN);
    const count = Math.min(known.length, USERS_SHOWN);
    const shown = [...known.slice(0, USERS_SHOWN), ...rows.slice(known.length)];
    return figure.make(data, {
      id: "users",
      finding: words.text("users_finding", { shown: words.number(count), users: words.counted("users", known.length) }),
      lead: [words.text("users_lead"), rows.length > shown.length && words.text("users_file")],
      source: filters.source(data), caption: words.text("users_caption"),
      names: ["user_pseudonym", "conversations", "mean_inquiry_score", "input_tokens", "output_tokens", "cost_micro_usd", "last_day"],
      rows, shown,
    });
  }

  return { draw, people };
})();
