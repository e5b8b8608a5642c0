/** A bar chart of costs, as SVG. Of a row of GET /sora/costs four amounts are stacked: what was charged, what is only
 * estimated, and apart from these, by pattern and by words, what is uncertain and what failed. */

/** @import { Child, Cost } from "./types.d.ts" */

/** @typedef {"charged" | "estimated" | "uncertain" | "failed"} Kind */
/** @typedef {Pick<Cost, "usd" | "charged_usd" | "uncertain_usd" | "failed_usd">} Amounts */
/** @typedef {{ axes: [names: string, dollars: string], told(row: Cost): string, nameOf(row: Cost): string }} Words */

import { el, svg } from "./dom.mjs";
import { dollars } from "./figures.mjs";

/** @type {Kind[]} */
export const KINDS = ["charged", "estimated", "uncertain", "failed"];
const WIDTH = 300; // of the drawing, about as many pixels as a narrow tab has
const UPRIGHT = { most: 93, height: 200, left: 46, right: 6, top: 26, bottom: 34 };
const LYING = { most: 20, line: 22, left: 104, right: 24, top: 20, bottom: 34 };
const NAME = 16; // characters of a name that fit beside a bar
const GAP = 0.25; // of the room of a bar
const BROADEST = 24;
const LABEL = 40; // room for 11-30 or W48 below a bar

/**
 * The four amounts of a row, in dollars.
 *
 * @param {Amounts} row
 */
export const amountsOf = (row) => ({
  charged: row.charged_usd,
  estimated: Math.max(0, row.usd - row.charged_usd),
  uncertain: row.uncertain_usd,
  failed: row.failed_usd,
});

/**
 * Where the axis of dollars has its marks: from 0 in equal steps of 1, 2 or 5 times a power of ten, up to `most` or
 * just above it, at most six.
 *
 * @param {number} most
 */
export function marks(most) {
  if (!(most > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = power * ([1, 2, 5].find((each) => most / (each * power) <= 5) ?? 10);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
}

/**
 * The parts of a bar, from the axis outwards, in dollars, without those that are nothing.
 *
 * @param {Amounts} row
 */
export function stack(row) {
  const amounts = amountsOf(row);
  let from = 0;
  return KINDS.map((kind) => ({ kind, from, to: (from += amounts[kind]) })).filter(({ from, to }) => to > from);
}

/**
 * What of the rows a plot has room for: the latest of days and weeks, the first of all else.
 *
 * @template Each
 * @param {Each[]} rows
 * @param {boolean} upright
 */
export const plotted = (rows, upright) => (upright ? rows.slice(-UPRIGHT.most) : rows.slice(0, LYING.most));

/**
 * @param {number} x
 * @param {number} y
 * @param {string} words
 * @param {Record<string, string>} [more]
 */
const text = (x, y, words, more = {}) => svg("text", { x, y, text: words, ...more });
/** @param {string} name */
const short = (name) => (name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name);

/**
 * Lines for what is uncertain and dots for what failed: `fill` of a kind's parts.
 *
 * @type {Partial<Record<Kind, string>>}
 */
const FILLS = { uncertain: "url(#sora-lines)", failed: "url(#sora-dots)" };

const patterns = () =>
  svg(
    "defs",
    {},
    svg(
      "pattern",
      { id: "sora-lines", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 2, height: 5, class: "sora-ink" }),
    ),
    svg(
      "pattern",
      { id: "sora-dots", width: 4, height: 4, patternUnits: "userSpaceOnUse" },
      svg("circle", { cx: 2, cy: 2, r: 1.2, class: "sora-alarm" }),
    ),
  );

/**
 * @param {Kind} kind
 * @param {Record<"x" | "y" | "width" | "height", number>} place
 */
const box = (kind, place) => svg("rect", { ...place, class: `sora-${kind}`, fill: FILLS[kind] });

/**
 * A box of that kind's look, for the legend; it needs the patterns of a plot in the page.
 *
 * @param {Kind} kind
 */
export const swatch = (kind) =>
  svg(
    "svg",
    { class: "sora-swatch", viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" },
    box(kind, { x: 1, y: 1, width: 12, height: 12 }),
  );

/**
 * The chart. Days and weeks stand `upright` from left to right, anything else lies, with its name beside it. `title`
 * says to who does not see it what it is, `axes` names both axes: [names, dollars], and `told(row)` a row in words.
 *
 * @param {Cost[]} rows
 * @param {Words & { upright: boolean, title: string }} given
 */
export function makePlot(rows, { upright, title, axes, told, nameOf }) {
  const shown = plotted(rows, upright);
  const most = Math.max(...shown.map((row) => stack(row).at(-1)?.to ?? 0));
  const scale = marks(most);
  const chart = (upright ? drawUpright : drawLying)(shown, scale, { axes, told, nameOf });
  return svg(
    "svg",
    { class: "sora-plot", viewBox: `0 0 ${WIDTH} ${chart.height}`, role: "img", "aria-label": title },
    svg("title", { text: title }),
    patterns(),
    chart.parts,
  );
}

/**
 * A day or a week below its bar: 2026-11-30 is 11-30, and 2026-W48 is W48.
 *
 * @param {string} name
 */
export const labelOf = (name) => name.slice(name.indexOf("-") + 1);

/**
 * @param {Cost[]} rows
 * @param {number[]} scale
 * @param {Words} words
 * @returns {{ height: number, parts: Child[] }}
 */
function drawUpright(rows, scale, { axes, told }) {
  const { height, left, right, top, bottom } = UPRIGHT;
  const room = (WIDTH - left - right) / rows.length;
  const long = height - top - bottom;
  const highest = scale[scale.length - 1];
  /** @param {number} usd */
  const y = (usd) => top + long * (1 - usd / highest);
  const broad = Math.min(BROADEST, room * (1 - GAP));
  const every = Math.ceil(LABEL / room);
  const bars = rows.map((row, at) => {
    const x = left + (at + 0.5) * room - broad / 2;
    const parts = stack(row).map(({ kind, from, to }) =>
      box(kind, { x, y: y(to), width: broad, height: y(from) - y(to) }),
    );
    return svg("g", {}, svg("title", { text: told(row) }), parts);
  });
  const names = rows.map((row, at) => {
    if ((rows.length - 1 - at) % every) return false;
    const x = left + (at + 0.5) * room;
    const end = x > WIDTH - LABEL / 2; // the last one stays within the picture
    const place = { "text-anchor": end ? "end" : "middle" };
    return text(end ? WIDTH - 1 : x, height - bottom + 14, labelOf(row.name), place);
  });
  const lines = scale.map((usd) => [
    svg("line", { x1: left, x2: WIDTH - right, y1: y(usd), y2: y(usd), class: "sora-line" }),
    text(left - 4, y(usd) + 3, dollars(usd), { "text-anchor": "end" }),
  ]);
  const titles = [text(4, 10, axes[1]), text((left + WIDTH) / 2, height - 4, axes[0], { "text-anchor": "middle" })];
  return { height, parts: [lines, bars, names, titles] };
}

/**
 * @param {Cost[]} rows
 * @param {number[]} scale
 * @param {Words} words
 * @returns {{ height: number, parts: Child[] }}
 */
function drawLying(rows, scale, { axes, told, nameOf }) {
  const { line, left, right, top, bottom } = LYING;
  const height = top + line * rows.length + bottom;
  const highest = scale[scale.length - 1];
  /** @param {number} usd */
  const x = (usd) => left + ((WIDTH - left - right) * usd) / highest;
  const lines = scale.map((usd, at) => [
    svg("line", { x1: x(usd), x2: x(usd), y1: top, y2: height - bottom, class: "sora-line" }),
    at % 2 === 0 && text(x(usd), height - bottom + 14, dollars(usd), { "text-anchor": "middle" }),
  ]);
  const bars = rows.map((row, at) => {
    const y = top + at * line + (line * GAP) / 2;
    const parts = stack(row).map(({ kind, from, to }) =>
      box(kind, { x: x(from), y, width: x(to) - x(from), height: line * (1 - GAP) }),
    );
    const name = text(left - 6, top + (at + 0.5) * line + 3, short(nameOf(row)), { "text-anchor": "end" });
    return svg("g", {}, svg("title", { text: told(row) }), name, parts);
  });
  const titles = [
    text(left - 6, 10, axes[0], { "text-anchor": "end" }),
    text((left + WIDTH - right) / 2, height - 4, axes[1], { "text-anchor": "middle" }),
  ];
  return { height, parts: [lines, bars, titles] };
}

/**
 * What the looks of the bars mean: a list of the kinds that are there.
 *
 * @param {Kind[]} kinds
 * @param {(kind: Kind) => string} words
 */
export const makeLegend = (kinds, words) =>
  el(
    "ul",
    { class: "sora-legend" },
    kinds.map((kind) => el("li", {}, swatch(kind), el("span", { text: words(kind) }))),
  );
