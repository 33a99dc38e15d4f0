"use strict";

/** Parts that several charts have: the key above them, round steps of a value axis, the tooltip, whiskers. */
const chartParts = (() => {
  const { plain, unmarked, fontOf, widthOf, wrapped } = chartFrame;
  const KEY = { line: 22, mark: 18, gap: 24, below: 14 };
  const STEPS = 5; // of a value axis, about
  const TOOLTIP = { width: 360, lines: 6, font: "12px sans-serif" }; // the one font of ECharts 6.1's rich tooltips

  const isTold = (value) => value !== null && value !== undefined;
  const told = (values) => values.filter(isTold);
  const shown = (spec, value) => (isTold(value) ? plain(spec.format(value)) : "");
  const widest = (texts, font) => Math.ceil(Math.max(0, ...texts.map((text) => widthOf(text, font))));

  /** Marks of the key: each draws itself from *x* on, around the middle *y*, within 18 pixels. */
  const marks = {
    bar: (fill, stroke = fill) => (x, y) => [
      { type: "rect", shape: { x: x + 0.5, y: y - 5.5, width: 17, height: 11 }, style: { fill, stroke } },
    ],
    tick: (fill) => (x, y) => [{ type: "rect", shape: { x: x + 8, y: y - 8, width: 2, height: 16 }, style: { fill } }],
    line: (fill, width) => (x, y) => [
      { type: "rect", shape: { x, y: y - width / 2, width: 18, height: width }, style: { fill } },
    ],
    dot: (fill) => (x, y) => [{ type: "circle", shape: { cx: x + 9, cy: y, r: 4.5 }, style: { fill } }],
    ring: (stroke) => (x, y) => [
      { type: "circle", shape: { cx: x + 9, cy: y, r: 5.5 }, style: { fill: "none", stroke, lineWidth: 1.5 } },
    ],
  };

  /**
   * Return the key, laid out in lines from the top: `{elements, height}`.
   * Entries are `{before?, mark?, wide?, text}`: a text before the mark, the mark, its width, the text after it; an
   * entry without text is left out.
   */
  function key(sheet, entries) {
    const font = fontOf(sheet);
    const elements = [];
    let [x, y] = [0, KEY.line / 2];
    for (const { before = "", mark, wide = KEY.mark, text } of entries.filter((entry) => entry.text)) {
      const start = before ? widest([before], font) + 8 : 0;
      const indent = start + (mark ? wide + 8 : 0);
      const lines = wrapped(text, font, sheet.width - indent);
      const width = indent + widest(lines, font);
      if (x > 0 && x + width > sheet.width) [x, y] = [0, y + KEY.line];
      if (before) elements.push(word(sheet, before, x, y));
      if (mark) elements.push(...mark(x + start, y));
      elements.push(...lines.map((line, at) => word(sheet, line, x + indent, y + at * KEY.line)));
      y += (lines.length - 1) * KEY.line;
      x += width + KEY.gap;
    }
    const height = elements.length ? y + KEY.line / 2 + KEY.below : 0;
    return { elements: elements.map((element) => ({ ...element, silent: true })), height };
  }

  function word(sheet, text, x, y) {
    const style = { text, x, y, fill: sheet.colours.quiet, font: fontOf(sheet), verticalAlign: "middle" };
    return { type: "text", style };
  }

  /** Return round ends and steps of an axis that holds *values*: `{min, max, interval, ticks}`; from 0 if not told. */
  function scale(values, least = Math.min(0, ...values), most = Math.max(...values)) {
    const rough = (most - least || Math.abs(most) || 1) / STEPS;
    const magnitude = 10 ** Math.floor(Math.log10(rough));
    const isWhole = [...values, least, most].every(Number.isInteger);
    const steps = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).filter((step) => step >= rough * (1 - 1e-9));
    const interval = isWhole ? (steps.find((step) => Number.isInteger(step)) ?? 1) : steps[0];
    const [first, last] = [Math.floor(least / interval + 1e-9), Math.ceil(most / interval - 1e-9)];
    const end = Math.max(last, first + 1);
    const ticks = Array.from({ length: end - first + 1 }, (_, at) => (first + at) * interval);
    return { min: first * interval, max: end * interval, interval, ticks };
  }

  const tickText = (spec) => (value) => plain((spec.tick ?? spec.format)(value));

  /** Return a value axis with hairlines and without a line of its own; *ends* are those of `scale`. */
  function valueAxis(sheet, spec, { min, max, interval }) {
    const { quiet, line } = sheet.colours;
    return {
      ...bare, type: "value", min, max, interval, splitLine: { lineStyle: { color: line } },
      axisLabel: { color: quiet, fontSize: 12, formatter: tickText(spec), hideOverlap: true },
    };
  }

  const bare = { axisLine: { show: false }, axisTick: { show: false } };

  /** Return a category axis with a place for each of *labels*, known to ECharts by its number only. */
  function placeAxis(labels, axisLabel) {
    const formatter = (place) => plain(labels[Number(place)]);
    const data = labels.map((_, at) => String(at));
    return { ...bare, type: "category", data, axisLabel: { ...axisLabel, formatter } };
  }

  /** Return a tooltip drawn in the chart itself, without HTML; *linesOf(dataIndex)* gives its lines. */
  function tooltip(sheet, trigger, linesOf, pointer = "none") {
    const { ink, paper, line, quiet } = sheet.colours;
    const width = Math.min(TOOLTIP.width, sheet.width - 40);
    const formatter = (given) => {
      const lines = linesOf([given].flat()[0].dataIndex).filter(Boolean);
      return lines.flatMap((text) => cut(wrapped(unmarked(text), TOOLTIP.font, width))).join("\n");
    };
    const styles = { shadowStyle: { color: line, opacity: 0.5 }, lineStyle: { color: quiet, type: "solid" } };
    return {
      trigger, formatter, renderMode: "richText", confine: true, transitionDuration: 0, padding: [8, 12],
      shadowBlur: 0, shadowOffsetX: 0, shadowOffsetY: 0,
      backgroundColor: paper, borderColor: quiet, textStyle: { color: ink },
      axisPointer: { type: pointer, animation: false, z: 0, ...styles },
    };
  }

  function cut(lines) {
    const last = TOOLTIP.lines - 1;
    return lines.length > TOOLTIP.lines ? [...lines.slice(0, last), `${lines[last]}…`] : lines;
  }

  /** Return "measure: value", or the value alone where the measure has no name. */
  const measured = (name, value) => (name ? `${name}: ${value}` : value);

  /** Return "measure: low – high", or nothing where the ends are not told. */
  function measuredRange(spec, name, { low, high }) {
    return hasRange({ low, high }) ? measured(name, `${spec.format(low)} – ${spec.format(high)}`) : "";
  }

  const hasRange = ({ low, high }) => isTold(low) && isTold(high);

  /** Return straight lines for ECharts' markLine, each from one place of the axes to another: `[[x, y], [x, y]]`. */
  function whiskers(pairs, colours) {
    const data = pairs.map((pair, at) => pair.map((coord) => ({ coord, lineStyle: { color: colours[at] } })));
    return { data, symbol: "none", silent: true, label: { show: false }, lineStyle: { type: "solid", width: 2 } };
  }

  return {
    isTold, told, shown, widest, marks, key, scale, tickText, valueAxis, placeAxis, tooltip, measured, measuredRange,
    hasRange, whiskers,
  };
})();
