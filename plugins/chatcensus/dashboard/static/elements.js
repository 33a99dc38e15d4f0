"use strict";

/** Makes the elements of a page. What is shown is data: it becomes text, never markup. */
const elements = (() => {
  /**
   * Return a new element.
   * @param {string} tag
   * @param {Object<string, string|number|boolean|null|Object<string, EventListener>>} [attributes] `on` holds listeners by
   *   event; true is an attribute without a value; false and null are left out.
   * @param {...(Node|string|number|null|false|Array)} children
   * @returns {HTMLElement}
   */
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (name === "on") listen(element, value);
      else set(element, name, value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  function listen(element, listeners) {
    for (const [event, listener] of Object.entries(listeners)) element.addEventListener(event, listener);
  }

  function set(element, name, value) {
    if (name === "style" || name.startsWith("on")) {
      throw new Error(`attribute ${name} of <${element.localName}> would be code: use on or CSS`);
    }
    if (value === null || value === undefined || value === false) return;
    element.setAttribute(name, value === true ? "" : String(value));
  }

  /**
   * Return a table that scrolls sideways by itself where it is too wide; the first cell of a row is its heading.
   * @param {{caption: string, columns: {label: string, kind?: "text"|"number"|"code"}[], rows: (string|Node)[][]}} spec
   * @returns {HTMLElement}
   */
  function table({ caption, columns, rows }) {
    const [first, ...others] = columns;
    const kinds = [{ ...first, kind: first.kind === "number" ? "text" : first.kind }, ...others]; // headings stand at the left
    const head = kinds.map(({ label, kind }) => h("th", { scope: "col", class: kind === "number" ? "number" : null }, label));
    const body = rows.map((row) => h("tr", null, row.map((value, index) => cell(value, kinds[index], index === 0))));
    return h(
      "div",
      { class: "scroll", role: "region", tabindex: 0, "aria-label": caption },
      h("table", null, h("caption", { class: "unseen" }, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body)),
    );
  }

  function cell(value, { kind }, isHeading) {
    const content = kind === "code" && typeof value === "string" && value !== words.NONE ? h("code", null, value) : value;
    const attributes = { class: kind === "number" ? "number" : null, dir: typeof value === "string" && kind !== "number" ? "auto" : null };
    return isHeading ? h("th", { scope: "row", ...attributes }, content) : h("td", attributes, content);
  }

  /** Return a box for what a reader must know first. */
  const notice = (text) => h("p", { class: "notice", role: "note" }, text);

  /** Return a button that does something on this page. */
  const button = (label, onClick, attributes) =>
    h("button", { type: "button", class: "button", ...attributes, on: { click: onClick } }, label);

  /** Return a labelled choice; *options* are [value, label], or {label, options} for a group of them. */
  function choice({ id, label, options, value, onChange }) {
    const option = ([each, text]) => h("option", { value: each, selected: each === value }, text);
    const group = (each) => (Array.isArray(each) ? option(each) : h("optgroup", { label: each.label }, each.options.map(option)));
    const select = h("select", { id, on: { change: () => onChange(select.value) } }, options.map(group));
    return h("div", { class: "choice" }, h("label", { for: id }, label), select);
  }

  return { h, table, notice, button, choice };
})();
