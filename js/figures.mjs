/** Numbers as a person reads them, in the current language. Plain values in, text out. */

import { t, currentLanguage } from "./words.mjs";

/** @type {[unit: Intl.RelativeTimeFormatUnitSingular, count: number][]} */
const STEPS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * Seconds -> [a whole number, its unit]: 100 -> [2, "minute"].
 *
 * @param {number} seconds
 * @returns {[number, Intl.RelativeTimeFormatUnitSingular]}
 */
function rounded(seconds) {
  let amount = Math.max(0, seconds);
  for (const [unit, next] of STEPS) {
    if (Math.round(amount) < next) return [Math.round(amount), unit];
    amount /= next;
  }
  return [0, "second"]; // of something that is not a number
}

/**
 * Making a formatter takes longer than all else that a row needs: each is kept, by its language and unit.
 *
 * @template Formatter
 * @param {(language: string, unit: string) => Formatter} make
 */
function kept(make) {
  /** @type {Map<string, Formatter>} */
  const made = new Map();
  return (unit = "") => {
    const key = `${currentLanguage()} ${unit}`;
    const formatter = made.get(key) ?? make(currentLanguage(), unit);
    made.set(key, formatter);
    return formatter;
  };
}

const units = kept((language, unit) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }));
const ages = kept((language) => new Intl.RelativeTimeFormat(language, { style: "narrow", numeric: "auto" }));

const ordinals = kept((language) => new Intl.PluralRules(language, { type: "ordinal" }));
/** @type {Partial<Record<Intl.LDMLPluralRule, string>>} */
const SUFFIXES = { one: "st", two: "nd", few: "rd" };

/**
 * "2nd"; only English has an ending for it.
 *
 * @param {number} count
 */
export const ordinal = (count) =>
  currentLanguage() === "en" ? `${count}${SUFFIXES[ordinals().select(count)] ?? "th"}` : String(count);

/**
 * "2 min"
 *
 * @param {number} seconds
 */
export function span(seconds) {
  const [amount, unit] = rounded(seconds);
  return units(unit).format(amount);
}

/**
 * "280 sec": of a sum, which is not rounded to minutes.
 *
 * @param {number} count
 */
export const seconds = (count) => units("second").format(count);

/**
 * "2m ago"
 *
 * @param {number} seconds
 */
export function ago(seconds) {
  const [amount, unit] = rounded(seconds);
  return ages().format(-amount, unit);
}

/**
 * The day and the time of seconds since 1970.
 *
 * @param {number} seconds
 */
export const moment = (seconds) =>
  new Date(1000 * seconds).toLocaleString(currentLanguage(), { dateStyle: "medium", timeStyle: "short" });

/**
 * "1.2 GiB"
 *
 * @param {number} count
 */
export function bytes(count) {
  let [amount, step] = [count, 0];
  for (; amount >= 1000 && step < BYTES.length - 1; step += 1) amount /= 1024;
  return `${amount < 10 && step ? amount.toFixed(1) : Math.round(amount)} ${BYTES[step]}`;
}

/**
 * "$0.80"; a price below a cent keeps what can be read of it.
 *
 * @param {number} usd
 */
export const dollars = (usd) => `$${usd > 0 && usd < 0.01 ? usd.toPrecision(1) : usd.toFixed(2)}`;

/**
 * What a purchase costs: "≈ $0.80", "free" or "price unknown".
 *
 * @param {number | null | undefined} usd
 */
export function price(usd) {
  if (usd == null) return t("price_unknown");
  return usd ? t("price", { usd: dollars(usd) }) : t("free");
}
