"use strict";

/** The words, numbers and dates of a page in the language it speaks; no number is ever rounded to nothing or to all. */
const words = (() => {
  const NONE = "–";
  const MINUS = "\u2212";
  const MILLION = 1_000_000;
  const texts = JSON.parse(document.getElementById("texts").textContent);
  let language = Object.keys(texts)[0];
  let formats = new Map();

  /** Speak *next* from now on. */
  function use(next) {
    if (!Object.hasOwn(texts, next)) throw new Error(`no texts in language ${next}: choose one of ${Object.keys(texts).join(", ")}`);
    language = next;
    formats = new Map();
  }

  /**
   * Return the text of *key* with its placeholders filled in.
   * @param {string} key
   * @param {Object<string, string|number>} [values]
   */
  function text(key, values = {}) {
    const words = texts[language];
    if (!Object.hasOwn(words, key)) throw new Error(`no text ${key} in ${language}`);
    return words[key].replace(/\{(\w+)\}/g, (_, name) => {
      if (!Object.hasOwn(values, name)) throw new Error(`text ${key} lacks a value for ${name}`);
      return String(values[name]);
    });
  }

  /** Return *count* with its noun: the text `noun_one` or `noun_many`. */
  const counted = (noun, count) => text(count === 1 ? `${noun}_one` : `${noun}_many`, { count: number(count) });

  /** Return the format of *name*, made once for a language: making one is slow, and tables have thousands of cells. */
  function format(kind, options) {
    const name = kind.name + JSON.stringify(options);
    if (!formats.has(name)) formats.set(name, new kind(language, options));
    return formats.get(name);
  }

  const decimal = (value, digits, least = digits) =>
    format(Intl.NumberFormat, { minimumFractionDigits: least, maximumFractionDigits: digits }).format(value);

  /** Return a number with its thousands apart; null is a dash. */
  const number = (count, digits = 0) => (isNone(count) ? NONE : decimal(count, digits));

  /** Return a number at an axis, with no more digits than it needs. */
  const tick = (value) => decimal(value, 4, 0);
  /** Return a share at an axis. */
  const percentTick = (share) => `${tick(share * 100)}%`;

  /** Return a share of 0 to 1 as a percentage, never rounding something down to nothing, or nearly all up to all. */
  function percent(share, digits = 1) {
    if (isNone(share)) return NONE;
    const smallest = 10 ** -digits;
    const shown = (value) => `${decimal(value, digits)}%`;
    if (share > 0 && share * 100 < smallest) return `<${shown(smallest)}`;
    if (share < 1 && share * 100 > 100 - smallest) return `>${shown(100 - smallest)}`;
    return shown(share * 100);
  }

  /** Return the change of a share in percentage points, with its sign. */
  function points(change) {
    if (isNone(change)) return NONE;
    const shown = decimal(Math.abs(change) * 100, 1);
    return Number(shown) === 0 ? shown : `${change > 0 ? "+" : MINUS}${shown}`;
  }

  /** Return a mean inquiry score with two digits. */
  const score = (mean) => (isNone(mean) ? NONE : decimal(mean, 2));

  /** Return micro-USD as USD with all six digits, so that a column adds up by eye. */
  const usd = (micro) => (isNone(micro) ? NONE : `${decimal(Math.floor(micro / MILLION), 0)}.${String(micro % MILLION).padStart(6, "0")}`);

  /** Return micro-USD as USD to the cent, below one dollar to a hundredth of a cent; half a digit goes up. */
  function usdRounded(micro) {
    if (isNone(micro)) return NONE;
    const digits = micro >= MILLION ? 2 : 4;
    const units = Math.floor((micro + 5 * 10 ** (5 - digits)) / 10 ** (6 - digits));
    return `${decimal(Math.floor(units / 10 ** digits), 0)}.${String(units % 10 ** digits).padStart(digits, "0")}`;
  }

  const DAY = { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" };
  const date = (iso, options) => (isNone(iso) ? NONE : format(Intl.DateTimeFormat, options).format(new Date(`${iso}T00:00:00Z`)));

  /** Return a day, given as ISO text without a time. */
  const day = (iso) => date(iso, DAY);
  /** Return a day without its year, for axes. */
  const dayShort = (iso) => date(iso, { month: "numeric", day: "numeric", timeZone: "UTC" });
  /** Return a month, given by any day of it, or as `2026-10`. */
  const month = (iso) => date(isNone(iso) ? iso : `${iso.slice(0, 7)}-01`, { year: "numeric", month: "short", timeZone: "UTC" });
  /** Return a week, given by its Monday, as a sentence names it. */
  const week = (iso) => (isNone(iso) ? NONE : text("the_week_of", { day: day(iso) }));
  /** Return a week as a label names it. */
  const weekLabel = (iso) => (isNone(iso) ? NONE : text("week_of", { day: day(iso) }));

  /** Return a moment, given as ISO text, as clocks in *timezone* show it; without an offset it is UTC. */
  function clock(iso, timezone) {
    if (isNone(iso)) return NONE;
    const options = { ...DAY, hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: timezone };
    return format(Intl.DateTimeFormat, options).format(instant(iso));
  }

  /** Return a moment with the name of its *timezone*. */
  const moment = (iso, timezone) => (isNone(iso) ? NONE : `${clock(iso, timezone)} (${timezone})`);

  /** Return the day of a moment in *timezone*. */
  const dayOf = (iso, timezone) => (isNone(iso) ? NONE : format(Intl.DateTimeFormat, { ...DAY, timeZone: timezone }).format(instant(iso)));

  const instant = (iso) => new Date(/([zZ]|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);

  /** Return a duration in its two largest units. */
  function duration(seconds) {
    if (isNone(seconds)) return NONE;
    const whole = Math.round(seconds);
    const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
    const parts = [["day", Math.floor(hours / 24)], ["hour", hours % 24], ["minute", minutes % 60], ["second", whole % 60]];
    const first = parts.findIndex(([, count]) => count > 0);
    if (first < 0) return unit("second", 0);
    const shown = parts.slice(first, first + 2).filter(([, count]) => count > 0);
    return shown.map(([name, count]) => unit(name, count)).join(" ");
  }

  const unit = (name, count) => format(Intl.NumberFormat, { style: "unit", unit: name }).format(count);
  const isNone = (value) => value === null || value === undefined;

  return {
    NONE, use, text, counted, number, percent, points, score, usd, usdRounded, tick, percentTick,
    day, dayShort, month, week, weekLabel, clock, moment, dayOf, duration,
    get language() { return language; },
    get languages() { return Object.keys(texts); },
    nameOf: (each) => texts[each].language_name,
  };
})();
