"use strict";

/** The filters of the report, and the links to its sections. */
const filterBar = (() => {
  const { h } = elements;
  let said = { note: null, at: null }; // why more changed than the reader chose, until the next choice

  function draw(data, asked) {
    const choices = [period(data, asked), ...Object.keys(filters.GROUPS).map((name) => group(data, asked, name))].filter(Boolean);
    if (!choices.length) return null;
    const isFiltered = asked.group !== null || asked.period.grain !== "all";
    const nothing = Object.fromEntries(["period", ...Object.keys(filters.GROUPS)].map((name) => [name, null]));
    const clear = elements.button(words.text("clear"), () => change(nothing, null), { id: "clear", disabled: !isFiltered });
    return h(
      "form", { class: "filters", "aria-label": words.text("filters"), on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "choices" }, choices, clear),
      said.note && said.at === (location.hash || "#") && h("p", { class: "lead" }, said.note),
    );
  }

  function period(data, asked) {
    const months = filters.months(data).reverse();
    const weeks = filters.weeks(data).reverse();
    if (!months.length && !weeks.length) return null;
    const option = (grain) => (first) => [filters.written({ grain, first }), grain === "month" ? words.month(first) : words.day(first)];
    const options = [
      [filters.ALL, words.text("all_weeks")],
      ...(months.length ? [{ label: words.text("months"), options: months.map(option("month")) }] : []),
      ...(weeks.length ? [{ label: words.text("weeks"), options: weeks.map(option("week")) }] : []),
    ];
    const value = filters.written(asked.period);
    return elements.choice({ id: "period", label: words.text("period"), options, value, onChange: chosen("period", data, asked) });
  }

  function group(data, asked, name) {
    const dimension = filters.GROUPS[name];
    const values = filters.values(data, name);
    if (!values.length) return null;
    const named = values.map((value) => [value, published.member(data, dimension, value)]);
    named.sort(([, one], [, other]) => one.localeCompare(other, words.language));
    const value = asked.group?.name === name ? asked.group.value : filters.ALL;
    return elements.choice({
      id: name, label: words.text(dimension), options: [[filters.ALL, words.text("all_of_them")], ...named], value,
      onChange: chosen(name, data, asked),
    });
  }

  const chosen = (name, data, asked) => (value) => {
    const { changes: needed, note } = filters.choose(name, value, data, asked);
    change(needed, note);
  };

  function change(needed, note) {
    frame.say(note ?? "");
    said = { note, at: frame.link(needed) };
    frame.write(needed);
  }

  /** Return links to the sections: followed here they scroll; opened elsewhere they keep the filters too. */
  function links(sections) {
    const go = (id) => (event) => {
      event.preventDefault();
      const heading = document.getElementById(`${id}-name`);
      heading.scrollIntoView({ block: "start" });
      heading.focus({ preventScroll: true });
    };
    const link = (id) => h("a", { href: frame.link({ section: id }), on: { click: go(id) } }, words.text(`section_${id}`));
    const items = sections.map((id) => h("li", null, link(id)));
    return h("nav", { class: "sections", "aria-label": words.text("sections") }, h("ul", null, items));
  }

  return { draw, links };
})();
