"use strict";

/** What all pages share: the header, the theme, the language, and the settings that live in the fragment of the URL. */
const frame = (() => {
  const { h } = elements;
  const THEMES = ["auto", "light", "dark"];
  const STORED = "chatcensus-theme";
  const root = document.documentElement;
  const status = h("p", { class: "unseen", role: "status" });
  let show = () => {};

  /** Return the settings in the fragment, by name. */
  const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  /** Return a link to this page with *changes* to its settings; null takes one away. */
  function link(changes) {
    const settings = { ...read(), ...changes };
    const kept = Object.entries(settings).filter(([, value]) => value !== null && value !== undefined);
    return `#${new URLSearchParams(kept)}`;
  }

  /** Change settings; the page is drawn again by the event that this causes. */
  function write(changes) {
    const top = scrollY;
    location.hash = link(changes);
    scrollTo(scrollX, top); // an empty fragment would mean the top of the page
  }

  /** True where the page is the one-file report, which has its data inside. */
  const isFile = () => document.getElementById("report") !== null;

  /**
   * Draw the page now, and again whenever the fragment changes.
   * @param {{title: string, page: "report"|"run"|"trials", draw: (main: HTMLElement) => void}} spec *title* is the key of a text.
   */
  function start({ title, page, draw }) {
    root.dataset.theme = theme();
    const opened = root.lang;
    const main = h("main", { id: "main", tabindex: -1 });
    const header = h("header", { class: "header" });
    const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => { event.preventDefault(); main.focus(); } } });
    document.getElementById("page").replaceChildren(skip, header, main, status);
    show = () => {
      const asked = read().lang;
      const focused = document.activeElement?.id;
      root.lang = words.languages.includes(asked) ? asked : opened;
      words.use(root.lang);
      document.title = `Chat Census: ${words.text(title)}`;
      skip.textContent = words.text("skip");
      header.replaceChildren(...headed(page));
      const hold = place(main);
      main.replaceChildren();
      draw(main);
      hold();
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", show);
    show();
  }

  /** Tell those who listen to the page what changed. */
  const say = (text) => { status.textContent = text; };

  /** Draw the page once more, with the settings it has. */
  const redraw = () => show();

  /** Return what puts the figure that is read now back where it is, however much changes above it. */
  function place(main) {
    const read = [...main.querySelectorAll("article[id]")].find((each) => each.getBoundingClientRect().bottom > innerHeight / 3);
    if (!read || scrollY === 0) return () => {};
    const { top } = read.getBoundingClientRect();
    return () => scrollBy(0, (document.getElementById(read.id)?.getBoundingClientRect().top ?? top) - top);
  }

  function headed(page) {
    const name = h("p", { class: "name" }, "Chat Census");
    const other = (each, href) => h("a", { href, "aria-current": each === page ? "page" : null }, words.text(`page_${each}`));
    const links = [other("report", "./"), other("run", "run"), other("trials", "trials")];
    const pages = isFile() ? null : h("nav", { class: "pages", "aria-label": words.text("pages") }, links);
    return [name, pages, h("div", { class: "switches" }, themeSwitch(), languageSwitch())].filter(Boolean);
  }

  function languageSwitch() {
    const choose = (each) => elements.button(words.nameOf(each), () => write({ lang: each }), {
      id: `language-${each}`, class: "segment", lang: each, "aria-pressed": String(each === words.language),
    });
    return h("div", { class: "segments", role: "group", "aria-label": words.text("language_switch") }, words.languages.map(choose));
  }

  function themeSwitch() {
    const buttons = THEMES.map((each) => elements.button(words.text(`theme_${each}`), () => choose(each), {
      id: `theme-${each}`, class: "segment", "aria-pressed": String(each === root.dataset.theme),
    }));
    const choose = (each) => {
      root.dataset.theme = each;
      remember(each);
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(THEMES[index] === each)));
    };
    return h("div", { class: "segments", role: "group", "aria-label": words.text("theme_switch") }, buttons);
  }

  // A sandboxed page or one opened from disk may be refused its storage: the theme then lasts as long as the page.
  function theme() {
    try {
      const stored = sessionStorage.getItem(STORED);
      return THEMES.includes(stored) ? stored : "auto";
    } catch {
      return "auto";
    }
  }

  function remember(each) {
    try {
      sessionStorage.setItem(STORED, each);
    } catch {
      return;
    }
  }

  return { read, write, link, isFile, say, redraw, start };
})();
