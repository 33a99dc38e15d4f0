"use strict";

/**
 * What every chart stands in: its size, colours and fonts, its redrawing, its print and its PNG.
 *
 * `chartFrame.mount(element, spec, draw)` calls `draw(sheet)` for each drawing and returns the Handle of charts.js. A
 * sheet is `{width, colours, family, size}`, in CSS pixels; draw returns `{height, option}` for ECharts, or null when
 * there is nothing to draw. The other functions are about text: what ECharts is given is plain, measured and one line.
 */
const chartFrame = (() => {
  const PNG = { width: 960, margin: 32, density: 2 };
  const PRINT_WIDTH = 640; // fits the narrower of A4 and Letter with a browser's own margins
  const SIZE = 13;
  const TOKENS = ["ink", "quiet", "line", "paper", "accent", "accent-soft"];
  const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/g;
  const JOINER = "\u2060"; // has no width, and is seen by nobody but a program
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const frames = new Map();
  let colours = null; // of the theme that the page has now; null until somebody asks
  let themeBeforePrint = null;

  /** Return a value's text on one line, without the characters that turn the direction of what follows. */
  function plain(text) {
    return whole(String(text).replace(INVISIBLE, " ").trim());
  }

  // ECharts 6.1 remembers widths by text in a plain object, and fails on "constructor" or "__proto__".
  function whole(text) {
    return text in Object.prototype ? JOINER + text : text;
  }

  /** Return plain text that ECharts does not read as rich text (`{style|…}`), for the tooltip. */
  function unmarked(text) {
    return plain(text).replaceAll("{", `{${JOINER}`);
  }

  /** Return plain text that is at most *width* wide, with an ellipsis where it was longer. */
  function shortened(text, font, width) {
    const letters = [...plain(text)];
    const start = (length) => whole(letters.slice(0, length).join("").trimEnd());
    if (widthOf(start(letters.length), font) <= width) return start(letters.length);
    let [fits, tooLong] = [0, letters.length];
    while (tooLong - fits > 1) {
      const length = (fits + tooLong) >> 1;
      if (widthOf(`${start(length)}…`, font) <= width) fits = length;
      else tooLong = length;
    }
    return `${start(fits)}…`;
  }

  function fontOf(sheet, weight = 400, size = sheet.size) {
    return `${weight} ${size}px ${sheet.family}`;
  }

  /** Return how wide *text* is in *font*, in CSS pixels. */
  function widthOf(text, font) {
    pen.font = font;
    return pen.measureText(text).width;
  }

  /** Return *text* as lines of at most *width*: broken at spaces, and in words only where nothing else fits. */
  function wrapped(text, font, width) {
    const lines = [""];
    for (const piece of plain(text).match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*|\s+/g) ?? []) {
      if (widthOf(lines.at(-1) + piece.trimEnd(), font) <= width) lines[lines.length - 1] += piece;
      else if (widthOf(piece, font) <= width) lines.push(piece);
      else for (const character of piece) {
        if (widthOf(lines.at(-1) + character, font) > width) lines.push("");
        lines[lines.length - 1] += character;
      }
    }
    return lines.map((line) => whole(line.trimEnd())).filter((line, at) => line || at === 0);
  }

  /** Return the custom properties as `rgb(…)`, whatever form they are written in. */
  function coloursOf(element) {
    const probe = element.appendChild(document.createElement("span"));
    const found = {};
    for (const token of TOKENS) {
      probe.style.color = `var(--${token})`;
      pen.fillStyle = getComputedStyle(probe).color;
      pen.fillRect(0, 0, 1, 1);
      found[token] = `rgb(${[...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)].join(", ")})`;
    }
    probe.remove();
    return found;
  }

  function sheetOf(element, width) {
    colours ??= coloursOf(element);
    return { width, size: SIZE, colours, family: getComputedStyle(element).fontFamily };
  }

  /** Return what is the same in every chart: no motion, plain fonts, a name for screen readers. */
  function common(spec, sheet) {
    return {
      animation: false,
      textStyle: { fontFamily: sheet.family, fontSize: sheet.size, color: sheet.colours.ink },
      aria: { enabled: true, label: { description: plain(`${spec.title}. ${spec.summary}`) } },
    };
  }

  function mount(element, spec, draw) {
    frames.get(element)?.dispose();
    const frame = { element, spec, draw, chart: null, width: 0 };
    frame.place = element.appendChild(document.createElement("div"));
    frame.observer = new ResizeObserver(() => {
      if (themeBeforePrint === null && element.clientWidth !== frame.width) redraw(frame);
    });
    frame.dispose = () => dispose(frame);
    frames.set(element, frame);
    redraw(frame);
    frame.observer.observe(element);
    return { png: () => png(frame), dispose: frame.dispose };
  }

  function dispose(frame) {
    if (frames.get(frame.element) === frame) frames.delete(frame.element);
    frame.observer.disconnect();
    frame.chart?.dispose();
    frame.place.remove();
  }

  function redraw(frame, width = frame.element.clientWidth) {
    frame.width = width;
    if (!width) return; // not shown: drawn when it gets a width
    const sheet = sheetOf(frame.element, width);
    const drawing = frame.draw(sheet);
    if (!drawing) return sayEmpty(frame);
    const size = { width, height: drawing.height };
    frame.place.style.height = `${size.height}px`;
    frame.chart ??= echarts.init(frame.place, null, { renderer: "svg", ...size });
    frame.chart.resize(size);
    frame.chart.setOption({ ...common(frame.spec, sheet), ...drawing.option }, { notMerge: true });
  }

  function sayEmpty(frame) {
    frame.place.className = "chart-empty";
    frame.place.textContent = frame.spec.empty;
  }

  async function png({ element, spec, draw }) {
    const sheet = sheetOf(element, PNG.width - 2 * PNG.margin);
    const drawing = draw(sheet);
    const title = textBlock(spec.title, fontOf(sheet, 600, 18), 26, sheet.width);
    const source = textBlock(spec.source, fontOf(sheet, 400, 12), 18, sheet.width);
    const empty = textBlock(drawing ? "" : spec.empty, fontOf(sheet), 20, sheet.width);
    const chartHeight = drawing?.height ?? empty.height;
    const paper = document.createElement("canvas");
    paper.width = PNG.width * PNG.density;
    paper.height = (title.height + chartHeight + source.height + 2 * PNG.margin + 32) * PNG.density;
    const brush = paper.getContext("2d");
    brush.scale(PNG.density, PNG.density);
    brush.fillStyle = sheet.colours.paper;
    brush.fillRect(0, 0, paper.width, paper.height);
    const top = PNG.margin + title.height + 16;
    write(brush, title, PNG.margin, sheet.colours.ink);
    if (drawing) brush.drawImage(picture(spec, sheet, drawing), PNG.margin, top, sheet.width, chartHeight);
    else write(brush, empty, top, sheet.colours.quiet);
    write(brush, source, top + chartHeight + 16, sheet.colours.quiet);
    return blobOf(paper, spec.title);
  }

  function textBlock(text, font, lineHeight, width) {
    const lines = wrapped(text, font, width);
    return { lines, font, lineHeight, height: lines.length * lineHeight };
  }

  function write(brush, block, top, colour) {
    brush.font = block.font;
    brush.fillStyle = colour;
    brush.textBaseline = "middle";
    block.lines.forEach((line, at) => brush.fillText(line, PNG.margin, top + (at + 0.5) * block.lineHeight));
  }

  function picture(spec, sheet, drawing) {
    const size = { width: sheet.width, height: drawing.height, devicePixelRatio: PNG.density };
    const chart = echarts.init(document.createElement("div"), null, { renderer: "canvas", ...size });
    chart.setOption({ ...common(spec, sheet), ...drawing.option });
    const canvas = chart.renderToCanvas({ pixelRatio: PNG.density, backgroundColor: sheet.colours.paper });
    chart.dispose();
    return canvas;
  }

  function blobOf(canvas, title) {
    return new Promise((resolve, reject) => {
      const size = `${canvas.width} x ${canvas.height} pixels`;
      const failed = () => reject(new Error(`no PNG of ${JSON.stringify(title)}: the browser refused ${size}`));
      canvas.toBlob((blob) => (blob ? resolve(blob) : failed()), "image/png");
    });
  }

  function redrawAll(width) {
    colours = null;
    for (const frame of frames.values()) redraw(frame, width === undefined ? undefined : Math.min(width, frame.width));
  }

  // Paper is light and narrow, and a browser lays print out without a resize: both are set for as long as it prints.
  function beginPrint() {
    if (themeBeforePrint !== null) return;
    const { dataset } = document.documentElement;
    themeBeforePrint = dataset.theme ?? "";
    dataset.theme = "light";
    redrawAll(PRINT_WIDTH);
  }

  function endPrint() {
    if (themeBeforePrint === null) return;
    const { dataset } = document.documentElement;
    if (themeBeforePrint) dataset.theme = themeBeforePrint;
    else delete dataset.theme;
    themeBeforePrint = null;
    redrawAll();
  }

  addEventListener("beforeprint", beginPrint);
  addEventListener("afterprint", endPrint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawAll());
  new MutationObserver(() => themeBeforePrint === null && redrawAll()).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });

  return { mount, plain, unmarked, shortened, fontOf, widthOf, wrapped };
})();
