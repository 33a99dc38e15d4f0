"use strict";

/** Charts over time: columns from zero, and a line with its band over grey others. Their specs are in charts.js. */
const chartTime = (() => {
  const { fontOf, mount, plain } = chartFrame;
  const {
    isTold, told, shown, widest, marks, key, scale, tickText, valueAxis, placeAxis, tooltip, measured, measuredRange,
    hasRange, whiskers,
  } = chartParts;
  const PLOT = { height: 220, right: 12, above: 18, below: 30 };
  const LABEL_GAP = 16;
  const FEW_COLUMNS = 16; // up to so many columns have their number above them, where it has room
  const MANY_COLUMNS = 120; // more stand without gaps between them
  const MANY_POINTS = 40; // a line of more has no dots

  function columns(element, spec) {
    return mount(element, spec, (sheet) => {
      const values = told(spec.points.map((point) => point.value));
      if (!values.length) return null;
      const hasQuiet = spec.points.some((point) => point.isQuiet);
      const entries = [{ text: spec.axis }, { mark: marks.bar(sheet.colours.quiet), text: hasQuiet ? spec.quiet : "" }];
      const { option, height, plotWidth } = overTime(sheet, spec, scale(values), entries, true);
      const lines = (at) => pointLines(spec, spec.axis, spec.points[at]);
      const series = [columnSeries(spec, sheet, plotWidth)];
      return { height, option: { ...option, series, tooltip: tooltip(sheet, "axis", lines, "shadow") } };
    });
  }

  function columnSeries(spec, sheet, plotWidth) {
    const { accent, quiet, ink } = sheet.colours;
    const count = spec.points.length;
    const numbers = spec.points.map((point) => shown(spec, point.value));
    const hasRoom = count <= FEW_COLUMNS && widest(numbers, fontOf(sheet)) + 8 <= plotWidth / count;
    return {
      type: "bar", barMaxWidth: 44, barCategoryGap: count > MANY_COLUMNS ? "0%" : "28%", cursor: "default",
      emphasis: { disabled: true },
      label: { show: hasRoom, position: "top", color: ink, formatter: ({ dataIndex }) => numbers[dataIndex] },
      data: spec.points.map(({ value, isQuiet }) => ({ value, itemStyle: { color: isQuiet ? quiet : accent } })),
    };
  }

  function pointLines(spec, name, point) {
    const value = isTold(point.value) && measured(name, spec.format(point.value));
    return [point.name ?? point.label, value, measuredRange(spec, spec.band, point), ...(point.details ?? [])];
  }

  function line(element, spec) {
    return mount(element, spec, (sheet) => {
      if (!told(spec.points.map((point) => point.value)).length) return null;
      const { accent, quiet, "accent-soft": soft } = sheet.colours;
      const others = spec.others?.lines ?? [];
      const values = told([...spec.points.flatMap(({ value, low, high }) => [value, low, high]), ...others.flat()]);
      const entries = [
        { text: spec.axis },
        { mark: marks.line(accent, 3), text: spec.line },
        { mark: marks.bar(soft), text: spec.points.some(hasRange) ? spec.band : "" },
        { mark: marks.line(quiet, 1), text: others.length ? spec.others.label : "" },
      ];
      const ends = scale(values, spec.least, spec.most);
      const { option, height } = overTime(sheet, spec, ends, entries, spec.points.length === 1);
      const series = [...others.map((data) => greyLine(data, quiet)), ...band(spec, soft), mainLine(spec, accent)];
      const lines = (at) => pointLines(spec, spec.line, spec.points[at]);
      return { height, option: { ...option, series, tooltip: tooltip(sheet, "axis", lines, "line") } };
    });
  }

  function greyLine(data, quiet) {
    const lineStyle = { color: quiet, width: 1, opacity: 0.5 };
    return { type: "line", data, lineStyle, symbol: "none", silent: true, z: 2, emphasis: { disabled: true } };
  }

  /** Return the band as two stacked series: nothing up to low, colour from there to high. */
  function band({ points }, soft) {
    const ends = points.map((point) => (hasRange(point) ? [point.low, point.high - point.low] : [null, null]));
    const shape = { type: "line", stack: "band", stackStrategy: "all", symbol: "none", silent: true, z: 1 };
    const series = { ...shape, lineStyle: { opacity: 0 }, emphasis: { disabled: true } };
    const [low, height] = [0, 1].map((end) => ends.map((pair) => pair[end]));
    return [{ ...series, data: low }, { ...series, data: height, areaStyle: { color: soft, opacity: 1 } }];
  }

  function mainLine({ points }, accent) {
    const isAlone = (at) => !isTold(points[at - 1]?.value) && !isTold(points[at + 1]?.value);
    const hasDot = (at) => points.length <= MANY_POINTS || isAlone(at);
    const alone = points.flatMap((point, at) => (hasRange(point) && isAlone(at) ? [{ ...point, at }] : []));
    const pairs = alone.map(({ at, low, high }) => [[at, low], [at, high]]);
    return {
      type: "line", data: points.map((point) => point.value), z: 3, cursor: "default", emphasis: { disabled: true },
      symbol: "circle", showAllSymbol: true, symbolSize: (_, { dataIndex }) => (hasDot(dataIndex) ? 6 : 0),
      lineStyle: { color: accent, width: 2.5 }, itemStyle: { color: accent, opacity: 1 },
      markLine: whiskers(pairs, pairs.map(() => accent)), // a band has no width where a point stands alone
    };
  }

  /** Return what charts over time share: key, axes and the place between them. */
  function overTime(sheet, spec, ends, entries, hasColumns) {
    const { elements, height: above } = key(sheet, entries);
    const font = fontOf(sheet, 400, 12);
    const half = hasColumns ? 0 : widest([plain(spec.points[0].label)], font) / 2; // the first stands below the axis
    const left = Math.max(widest(ends.ticks.map(tickText(spec)), font) + 10, half);
    const plotWidth = sheet.width - left - PLOT.right;
    const grid = { outerBoundsMode: "none", left, right: PLOT.right, top: above + PLOT.above, height: PLOT.height };
    const xAxis = timeAxis(sheet, spec.points.map((point) => plain(point.label)), { left, plotWidth, hasColumns });
    const option = { graphic: elements, grid, xAxis, yAxis: valueAxis(sheet, spec, ends) };
    return { option, height: grid.top + PLOT.height + PLOT.below, plotWidth };
  }

  /** Return the axis of time with as many of the labels, evenly, as have room; empty labels take none. */
  function timeAxis(sheet, labels, { left, plotWidth, hasColumns }) {
    const font = fontOf(sheet, 400, 12);
    const step = plotWidth / (hasColumns ? labels.length : labels.length - 1);
    const named = labels.flatMap((label, at) => (label ? [at] : []));
    const every = Math.max(1, Math.ceil((widest(labels, font) + LABEL_GAP) / (plotWidth / named.length)));
    const kept = new Set(named.filter((at, order) => {
      const [middle, half] = [(at + (hasColumns ? 0.5 : 0)) * step, widest([labels[at]], font) / 2];
      return order % every === 0 && middle - half >= -left && middle + half <= plotWidth + PLOT.right;
    }));
    const axis = placeAxis(labels, { color: sheet.colours.quiet, fontSize: 12, interval: (at) => kept.has(at) });
    const axisLine = { show: true, onZero: false, lineStyle: { color: sheet.colours.quiet } };
    return { ...axis, axisLine, boundaryGap: hasColumns };
  }

  return { columns, line };
})();
