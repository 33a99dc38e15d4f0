"use strict";

/**
 * The five charts of the dashboard, drawn with ECharts (`echarts`, loaded before) as SVG.
 *
 * `charts.<kind>(element, spec)` draws into *element*, which is in the document, empty, and as wide as the chart is to
 * be; the chart sets its own height. A chart that stands there already is removed first. It redraws by itself when the
 * width or the theme changes and for print. Every text of a spec is shown as text, whatever stands in it; every text
 * that people read comes from the spec, in their language. Colours are the custom properties --ink, --quiet, --line,
 * --paper, --accent and --accent-soft of :root, in any form that CSS knows.
 *
 * @typedef {object} Handle
 * @property {() => Promise<Blob>} png  a PNG of 960 CSS pixels at double density: title, chart and source line, in the
 *     theme that the page has now
 * @property {() => void} dispose       removes the chart and its listeners; to be called before *element* goes away
 *
 * @typedef {object} Spec  what all charts take
 * @property {string} title              what the chart shows: head of its PNG and name for screen readers
 * @property {string} summary            the same as a sentence or two with the numbers, for screen readers
 * @property {string} source             snapshot, date and filters, below the PNG
 * @property {string} empty              said in the chart's place when there is no number to draw
 * @property {(value: number) => string} format  how a value is written
 * @property {(value: number) => string} [tick]  how a value is written at the axis; `format` if absent
 * @property {string} [axis]             what the values are and their unit: at the axis and in the tooltip
 *
 * A null value is a gap, never zero. `details` are further lines of the tooltip. A quiet row is drawn in grey.
 *
 * @typedef {object} BarRow     @property {string} label  @property {number|null} value
 *     @property {string} [note]  at the right, e.g. the change   @property {number|null} [before]  marked by a tick
 *     @property {boolean} [isQuiet]  @property {string[]} [details]
 * @typedef {object} BarsSpec   Spec and: rows: BarRow[], top first; [before]: string, what the tick marks
 *
 * @typedef {object} ColumnPoint  @property {string} label  at the axis, short; "" for none
 *     @property {string} [name]  in the tooltip, `label` if absent
 *     @property {number|null} value  @property {boolean} [isQuiet]  @property {string[]} [details]
 * @typedef {object} ColumnsSpec  Spec and: points: ColumnPoint[], in order of time, one for every step of it;
 *     [quiet]: string, what a grey column means
 *
 * @typedef {object} LinePoint  @property {string} label  @property {string} [name]  @property {number|null} value
 *     @property {number|null} [low]  @property {number|null} [high]  @property {string[]} [details]
 * @typedef {object} LineSpec   Spec and: points: LinePoint[]; line: string, whose line it is; [band]: string, what the
 *     band between low and high is; [others]: {label: string, lines: (number|null)[][]}, grey lines over the same
 *     points and what they are; [least], [most]: number, ends of the value axis (if absent, 0 and the greatest)
 *
 * @typedef {object} HeatCell   @property {number} row  @property {number} column  both from 0
 *     @property {number|null} value  @property {string[]} [details]
 * @typedef {object} HeatSpec   Spec and: rows: string[], columns: string[]; cells: HeatCell[]; untold: string, what a
 *     cell means that is absent or null (drawn as paper with a hairline); [name]: (row, column) => string, a cell's
 *     name in the tooltip
 *
 * @typedef {object} IntervalRow  @property {string} label  @property {number|null} value  @property {number|null} low
 *     @property {number|null} high  @property {number|null} [other]  @property {boolean} [isQuiet]
 *     @property {string[]} [details]
 * @typedef {object} IntervalsSpec  Spec and: rows: IntervalRow[], top first; dot: string, what the dot is; interval:
 *     string, what the whisker is; [other]: string, what the ring is (drawn where a row has `other`);
 *     [least], [most]: number, ends of the value axis
 */
const charts = (() => {
  const { bars, intervals } = chartRows;
  const { columns, line } = chartTime;
  const { heat } = chartHeat;
  return { bars, columns, line, heat, intervals };
})();
