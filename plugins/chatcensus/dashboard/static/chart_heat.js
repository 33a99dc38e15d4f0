"use strict";

/** A map of cells in steps of one hue; what may not be told is paper with a hairline. Its spec is in charts.js. */
const chartHeat = (() => {
  const { fontOf, mount, plain } = chartFrame;
  const { isTold, widest, marks, key, placeAxis, tooltip, measured } = chartParts;
  const STEPS = 5;
  const CELL = { height: 28, gap: 2 };
  const SWATCH = { width: 18, height: 12, every: 20 };

  function heat(element, spec) {
    const count = spec.columns.length;
    const cells = spec.rows.flatMap(() => spec.columns.map(() => null));
    for (const cell of spec.cells) if (isTold(cell.value)) cells[cell.row * count + cell.column] = cell;
    return mount(element, spec, (sheet) => {
      const values = cells.filter(Boolean).map((cell) => cell.value);
      if (!values.length) return null;
      const most = Math.max(...values) || 1;
      const steps = stepsOf(sheet.colours);
      const { elements, height: top } = key(sheet, entriesOf(spec, sheet, steps, most, cells.includes(null)));
      const left = widest(spec.rows.map(plain), fontOf(sheet)) + 12;
      const grid = { outerBoundsMode: "none", left, right: 0, top, height: CELL.height * spec.rows.length };
      const symbolSize = [Math.max(1, (sheet.width - left) / count - CELL.gap), CELL.height - CELL.gap];
      const style = (cell) => (cell ? told(cell.value / most, steps) : untold(sheet.colours));
      const data = cells.map((cell, at) => ({ value: [at % count, Math.floor(at / count)], itemStyle: style(cell) }));
      const shape = { type: "scatter", symbol: "rect", cursor: "default", emphasis: { disabled: true } };
      const series = [{ ...shape, symbolSize, data }];
      const lines = (at) => linesOf(spec, cells[at], Math.floor(at / count), at % count);
      const axes = axesOf(spec, sheet, left);
      const option = { graphic: elements, grid, ...axes, series, tooltip: tooltip(sheet, "item", lines) };
      return { height: top + grid.height + 30, option };
    });
  }

  /** Return the steps from the soft accent to the accent, as colours. */
  function stepsOf(colours) {
    const [from, to] = [colours["accent-soft"], colours.accent].map((text) => text.match(/\d+/g).map(Number));
    return Array.from({ length: STEPS }, (_, step) => {
      const part = step / (STEPS - 1);
      return `rgb(${from.map((start, at) => Math.round(start + (to[at] - start) * part)).join(", ")})`;
    });
  }

  const told = (part, steps) => ({ color: steps[Math.max(1, Math.ceil(part * STEPS)) - 1], opacity: 1 });
  const untold = ({ paper, line }) => ({ color: paper, borderColor: line, borderWidth: 1, opacity: 1 });

  function entriesOf(spec, { colours }, steps, most, hasUntold) {
    const swatches = (x, y) => steps.map((fill, at) => (
      { type: "rect", shape: { ...SWATCH, x: x + at * SWATCH.every, y: y - SWATCH.height / 2 }, style: { fill } }
    ));
    const [least, greatest] = [0, most].map((value) => plain(spec.format(value)));
    return [
      { text: spec.axis },
      { before: least, mark: swatches, wide: STEPS * SWATCH.every, text: greatest },
      { mark: marks.bar(colours.paper, colours.quiet), text: hasUntold ? spec.untold : "" },
    ];
  }

  function axesOf(spec, sheet, left) {
    const { ink, quiet } = sheet.colours;
    const columns = { color: quiet, fontSize: 12, hideOverlap: true };
    const rows = { interval: 0, color: ink, fontSize: sheet.size, margin: left, align: "left" };
    return { xAxis: placeAxis(spec.columns, columns), yAxis: { ...placeAxis(spec.rows, rows), inverse: true } };
  }

  function linesOf(spec, cell, row, column) {
    const name = spec.name ? spec.name(row, column) : `${spec.rows[row]} ${spec.columns[column]}`;
    return [name, cell ? measured(spec.axis, spec.format(cell.value)) : spec.untold, ...(cell?.details ?? [])];
  }

  return { heat };
})();
