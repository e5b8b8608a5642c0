/** Numbers as a person reads them, in the language that is spoken. Plain values in, text out. */

import { say, spoken } from "./words.mjs";

const STEPS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Seconds -> [a whole number, its unit]: 100 -> [2, "minute"]. */
function rounded(seconds) {
  let amount = Math.max(0, seconds);
  for (const [unit, next] of STEPS) {
    if (Math.round(amount) < next) return [Math.round(amount), unit];
    amount /= next;
  }
  return [0, "second"]; // of something that is not a number
}

const makers = new Map(); // making a formatter takes longer than all else that a row needs

function format(Kind, options) {
  const key = `${spoken()} ${Kind.name} ${Object.values(options)}`;
  if (!makers.has(key)) makers.set(key, new Kind(spoken(), options));
  return makers.get(key);
}

/** "2 min" */
export function span(seconds) {
  const [amount, unit] = rounded(seconds);
  return format(Intl.NumberFormat, { style: "unit", unit, unitDisplay: "short" }).format(amount);
}

/** "280 sec": of a sum, which is not rounded to minutes. */
export const seconds = (count) =>
  format(Intl.NumberFormat, { style: "unit", unit: "second", unitDisplay: "short" }).format(count);

/** "2m ago" */
export function ago(seconds) {
  const [amount, unit] = rounded(seconds);
  return format(Intl.RelativeTimeFormat, { style: "narrow", numeric: "auto" }).format(-amount, unit);
}

/** The day and the time of seconds since 1970. */
export const moment = (seconds) =>
  new Date(1000 * seconds).toLocaleString(spoken(), { dateStyle: "medium", timeStyle: "short" });

/** "1.2 GiB" */
export function bytes(count) {
  let [amount, step] = [count, 0];
  for (; amount >= 1000 && step < BYTES.length - 1; step += 1) amount /= 1024;
  return `${amount < 10 && step ? amount.toFixed(1) : Math.round(amount)} ${BYTES[step]}`;
}

/** "$0.80"; a price below a cent keeps what can be read of it. */
export const dollars = (usd) => `$${usd > 0 && usd < 0.01 ? usd.toPrecision(1) : usd.toFixed(2)}`;

/** What a purchase costs: "≈ $0.80", "free" or "price unknown". */
export function price(usd) {
  if (usd == null) return say("price_unknown");
  return usd ? say("price", { usd: dollars(usd) }) : say("free");
}
