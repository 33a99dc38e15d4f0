"use strict";

/** Charts of labelled rows, top first: bars from zero, and dots with their intervals. Their specs are in charts.js. */
const chartRows = (() => {
  const { fontOf, mount, plain, shortened } = chartFrame;
  const {
    isTold, told, shown, widest, marks, key, scale, valueAxis, placeAxis, tooltip, measured, measuredRange, hasRange,
    whiskers,
  } = chartParts;
  const NARROW = 480; // below it, the label of a row stands above its bar instead of beside it
  const LABEL = { most: 280, part: 0.36, gap: 14 };
  const END_GAP = 20; // between the plot and the column of texts at its right
  const HEIGHT = { beside: 32, above: 52 };
  const POINTED = "shadow"; // the whole row under the pointer answers

  function bars(element, spec) {
    return mount(element, spec, (sheet) => {
      const values = spec.rows.map((row) => row.value);
      if (!told(values).length) return null;
      const { ink } = sheet.colours;
      const hasBefore = spec.rows.some((row) => isTold(row.before));
      const entries = [{ text: spec.axis }, { mark: marks.tick(ink), text: hasBefore ? spec.before : "" }];
      const numbers = values.map((value) => shown(spec, value));
      const notes = spec.rows.map((row) => plain(row.note ?? ""));
      const room = 8 + widest(numbers, fontOf(sheet));
      const place = placed(sheet, spec, notes, { entries, room, bottom: 0 });
      const most = Math.max(...told(spec.rows.flatMap((row) => [row.value, row.before]))) || 1;
      const series = [barSeries(spec, sheet, numbers, place.plotWidth / most), tickSeries(spec, ink, place)];
      const said = tooltip(sheet, "axis", (at) => barLines(spec, spec.rows[at]), POINTED);
      const xAxis = { type: "value", show: false, min: 0, max: most };
      return { height: place.height, option: { ...place.option, xAxis, series, tooltip: said } };
    });
  }

  function barSeries({ rows }, { colours }, numbers, pixels) {
    const formatter = ({ dataIndex }) => numbers[dataIndex];
    const label = { show: true, position: "right", color: colours.ink, formatter };
    const data = rows.map(({ value, before, isQuiet }) => ({
      value,
      itemStyle: { color: isQuiet ? colours.quiet : colours.accent },
      label: { distance: 8 + Math.max(0, ((before ?? 0) - value) * pixels) }, // past the tick, if that lies farther out
    }));
    return { type: "bar", barWidth: 14, cursor: "default", emphasis: { disabled: true }, label, data };
  }

  function tickSeries({ rows }, ink, { isNarrow }) {
    const data = rows.flatMap((row, at) => (isTold(row.before) ? [[row.before, at]] : []));
    const shape = { type: "scatter", symbol: "rect", symbolSize: [2, isNarrow ? 18 : 22], silent: true, z: 4 };
    return { ...shape, itemStyle: { color: ink, opacity: 1 }, data };
  }

  function barLines(spec, row) {
    const value = [shown(spec, row.value), row.note].filter(Boolean).join("   ");
    const before = isTold(row.before) && measured(spec.before, spec.format(row.before));
    return [row.label, value && measured(spec.axis, value), before, ...(row.details ?? [])];
  }

  function intervals(element, spec) {
    return mount(element, spec, (sheet) => {
      const values = told(spec.rows.flatMap(({ value, low, high, other }) => [value, low, high, other]));
      if (!values.length) return null;
      const { accent, ink } = sheet.colours;
      const entries = [
        { text: spec.axis },
        { mark: marks.dot(accent), text: spec.dot },
        { mark: marks.line(accent, 2), text: spec.rows.some(hasRange) ? spec.interval : "" },
        { mark: marks.ring(ink), text: spec.rows.some((row) => isTold(row.other)) ? spec.other : "" },
      ];
      const numbers = spec.rows.map((row) => shown(spec, row.value));
      const place = placed(sheet, spec, numbers, { entries, room: 6, bottom: 28 });
      const ends = scale(values, spec.least, spec.most);
      const xAxis = valueAxis(sheet, spec, ends);
      if (place.isNarrow) Object.assign(xAxis.axisLabel, { alignMinLabel: "left", alignMaxLabel: "right" });
      place.option.yAxis[0].axisLine = { show: ends.min < 0, onZero: true, lineStyle: { color: sheet.colours.quiet } };
      const said = tooltip(sheet, "axis", (at) => intervalLines(spec, spec.rows[at]), POINTED);
      return { height: place.height, option: { ...place.option, xAxis, series: dots(spec, sheet), tooltip: said } };
    });
  }

  function dots({ rows }, { colours: { accent, quiet, ink } }) {
    const colours = rows.map((row) => (row.isQuiet ? quiet : accent));
    const ranged = rows.flatMap((row, at) => (hasRange(row) ? [at] : []));
    const pairs = ranged.map((at) => [[rows[at].low, at], [rows[at].high, at]]);
    const markLine = whiskers(pairs, ranged.map((at) => colours[at]));
    const dot = (at) => ({ color: colours[at], opacity: 1 });
    const data = rows.map(({ value }, at) => ({ value: [value ?? null, at], itemStyle: dot(at) }));
    const others = rows.flatMap((row, at) => (isTold(row.other) ? [[row.other, at]] : []));
    const ring = { color: "transparent", borderColor: ink, borderWidth: 1.5, opacity: 1 };
    const shape = { type: "scatter", symbol: "circle", cursor: "default", emphasis: { disabled: true } };
    return [
      { ...shape, symbolSize: 9, data, z: 4, markLine },
      { ...shape, symbolSize: 12, data: others, z: 3, silent: true, itemStyle: ring },
    ];
  }

  function intervalLines(spec, row) {
    const value = isTold(row.value) && measured(spec.dot, spec.format(row.value));
    const other = isTold(row.other) && measured(spec.other, spec.format(row.other));
    return [row.label, value, measuredRange(spec, spec.interval, row), other, ...(row.details ?? [])];
  }

  /**
   * Return where the rows stand: key above, labels before them or, where it is narrow, over them; *ends* in a column at
   * the right; *room* beyond the ends of the longest marks. A label too long for its place ends in an ellipsis.
   */
  function placed(sheet, { rows }, ends, { entries, room, bottom }) {
    const { elements, height: top } = key(sheet, entries);
    const isNarrow = sheet.width < NARROW;
    const labels = rows.map((row) => row.label);
    const endWidth = ends.some(Boolean) ? widest(ends, fontOf(sheet)) + END_GAP : 0;
    const labelWidth = isNarrow ? sheet.width - endWidth : widthOfLabels(labels, sheet);
    const [left, right] = isNarrow ? [0, room] : [labelWidth + LABEL.gap, room + endWidth];
    const height = rows.length * (isNarrow ? HEIGHT.above : HEIGHT.beside);
    const grid = { outerBoundsMode: "none", left, right, top, height };
    const yAxis = [labelAxis(sheet, labels, labelWidth, isNarrow), endAxis(sheet, ends, right, isNarrow)];
    const option = { graphic: elements, grid, yAxis };
    return { option, height: top + height + bottom, plotWidth: sheet.width - left - right, isNarrow };
  }

  function widthOfLabels(labels, sheet) {
    const whole = widest(labels.map(plain), fontOf(sheet)) + 1;
    return Math.min(whole, LABEL.most, sheet.width * LABEL.part);
  }

  function labelAxis(sheet, labels, width, isNarrow) {
    const place = isNarrow ? { ...above(sheet), inside: true, margin: 0 } : { margin: width + LABEL.gap };
    const text = { interval: 0, align: "left", color: sheet.colours.ink, fontSize: sheet.size };
    const cut = labels.map((label) => shortened(label, fontOf(sheet), width));
    return { ...placeAxis(cut, { ...text, ...place }), inverse: true };
  }

  function endAxis(sheet, ends, margin, isNarrow) {
    const place = isNarrow ? above(sheet) : {};
    const text = { interval: 0, align: "right", color: sheet.colours.quiet, fontSize: sheet.size, margin };
    const axis = placeAxis(ends, { ...text, ...place });
    return { ...axis, inverse: true, position: "right", axisPointer: { show: false } };
  }

  /** Return how a text stands over its row, on paper, so that no line of the plot goes through it. */
  const above = ({ colours }) => ({ verticalAlign: "bottom", padding: [0, 0, 11, 0], backgroundColor: colours.paper });

  return { bars, intervals };
})();
