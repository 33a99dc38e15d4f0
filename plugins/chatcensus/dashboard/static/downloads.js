"use strict";

/**
 * Files that a reader takes along, made in the browser.
 *
 * `csv(name, columns, rows)` saves a table: *columns* are names, *rows* arrays in that order of string, number, boolean
 * or null. `png(name, handle)` saves a chart, given its handle of charts.js; its promise ends with the file. *name* is
 * without ending and may be any text. `csvText(columns, rows)` is what stands in the CSV file: to the byte what
 * csv_file.py writes of the same table.
 */
const downloads = (() => {
  const BOM = "\ufeff"; // Excel in Japan reads a file without it as Shift_JIS
  const KEPT_MS = 60_000; // a browser may read a Blob some time after the click

  // JSON and JavaScript write 1.0 as 1: which columns hold doubles is known by their names, as in summaries.yaml.
  const DOUBLES = new Set([
    "change", "change_high", "change_low", "conversations_per_day", "corrected_high", "corrected_low",
    "corrected_share", "coverage", "mean_high", "mean_inquiry_score", "mean_low", "previous_mean_inquiry_score",
    "previous_share", "share", "share_high", "share_low", "share_of_use", "share_of_users",
  ]);
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
  // What begins a formula, as spreadsheets take it: half or full width, also after what they trim or do not show.
  const FORMULA = /^(?:(?![\t\r])[\s\x00-\x1f\x7f\x85\u200b-\u200f\u2060\ufeff])*[=+\-@＝＋－＠\t\r]/;
  const LINES = /(?<=\r\n|\r(?!\n)|[\n\v\f\x1c-\x1e\x85\u2028\u2029])/; // Python's line ends, kept with their lines

  /** Return *text* so that none of its lines begins a formula; a number is left as it is. */
  function harmless(text) {
    if (NUMBER.test(text)) return text;
    return text.split(LINES).map((line) => (FORMULA.test(line) ? `'${line}` : line)).join("");
  }

  /** Return a double as short as it stays exact, in Python's form: 1.0, 1e-05, 1e+16. */
  function double(value) {
    const sign = value < 0 || Object.is(value, -0) ? "-" : "";
    const [digits, exponent] = Math.abs(value).toExponential().split("e");
    if (Number(exponent) < -4 || Number(exponent) >= 16) {
      return `${sign}${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
    }
    const plain = Number(exponent) < 0 ? small(digits, -exponent) : String(Math.abs(value));
    return sign + (plain.includes(".") ? plain : `${plain}.0`);
  }

  function small(digits, places) {
    return `0.${"0".repeat(places - 1)}${digits.replace(".", "")}`;
  }

  function cell(value, column) {
    if (value === null) return "";
    if (typeof value === "string") return harmless(value);
    if (typeof value === "number" && (DOUBLES.has(column) || !Number.isInteger(value))) return double(value);
    return String(value);
  }

  function line(cells) {
    if (cells.length === 1 && cells[0] === "") return '""\r\n'; // an empty line would be no row at all
    return `${cells.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",")}\r\n`;
  }

  function csvText(columns, rows) {
    const cells = rows.map((row) => columns.map((column, at) => cell(row[at], column)));
    return BOM + [columns, ...cells].map(line).join("");
  }

  /** Return *name* as every file system takes it: ASCII letters, digits, dots, hyphens; no path, no hidden file. */
  function fileName(name, ending) {
    const safe = name.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+|[.-]+$/g, "").slice(0, 100);
    return `${safe || "chat-census"}.${ending}`;
  }

  /** Return the outermost document of our origin: Airflow 3.3 allows no downloads in the frame that it gives a plugin. */
  function outermost() {
    try {
      return top.document;
    } catch {
      return document;
    }
  }

  function save(blob, name) {
    const host = outermost();
    const link = host.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.hidden = true;
    host.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  }

  function csv(name, columns, rows) {
    save(new Blob([csvText(columns, rows)], { type: "text/csv;charset=utf-8" }), fileName(name, "csv"));
  }

  async function png(name, handle) {
    save(await handle.png(), fileName(name, "png"));
  }

  return { csv, png, csvText };
})();
