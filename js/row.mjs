/** A job's row (GET /sora/history) in words. Plain values in, plain values out; `now` is the server's time, in seconds
 * since 1970. */

/** @import { Brief, Filter, Row } from "./types.d.ts" */

import { ago, ordinal, price, span } from "./figures.mjs";
import { errorText, hasText, t } from "./words.mjs";

/** @param {string} state */
export const stateName = (state) => (hasText(state) ? t(state) : state);

/** @param {Pick<Row, "prompt">} row */
export const promptOf = (row) => row.prompt || t("no_prompt");

/**
 * Model, length, size and provider; what is not known (of a job from elsewhere) is left out.
 *
 * @param {Row} row
 */
export function factsOf(row) {
  return [row.model, row.seconds && span(Number(row.seconds)), row.size.replace("x", "×"), row.provider]
    .filter(Boolean)
    .join(" · ");
}

/**
 * The state in words, with how far it is and how long it will take.
 *
 * @param {Brief} row
 * @param {number} now
 */
export function stateOf(row, now) {
  const parts = [lineOf(row) || stateName(isCancelled(row) ? "cancelled" : row.state)];
  if (row.state === "submitted" && row.progress != null) parts[0] += ` ${Math.round(row.progress)} %`;
  const left = secondsLeft(row, now);
  if (left != null) parts.push(left > 0 ? t("left", { time: span(left) }) : t("overdue"));
  if (row.aside && hasText(row.aside)) parts.push(t(row.aside));
  return parts.join(" · ");
}

/**
 * Where a queued job is in the line; "" for any other job.
 *
 * @param {Pick<Brief, "state" | "place">} row
 */
export function lineOf({ state, place }) {
  if (state !== "queued") return "";
  if (place == null) return t("queued"); // it has just left the line
  return place ? t("queued_at", { place: ordinal(place) }) : t("queued_left");
}

/**
 * Did a person cancel it before it was sent?
 *
 * @param {Brief & Partial<Pick<Row, "failure">>} row
 */
const isCancelled = ({ state, failure }) => state === "refused" && failure?.code === "cancelled";

/**
 * Seconds until the video should be there, as past jobs like it took; null where that is unknown.
 *
 * @param {Brief} row
 * @param {number} now
 */
export function secondsLeft(row, now) {
  if (!row.is_running || !row.expected_s || !row.submitted_at) return null;
  return row.expected_s - (now - row.submitted_at);
}

/**
 * What it costs, as far as it was bought here; "" otherwise.
 *
 * @param {Row} row
 */
export const priceOf = (row) => (row.kind === "opened" || row.state === "refused" ? "" : price(row.estimated_usd));

/**
 * That, and how long ago it was begun.
 *
 * @param {Row} row
 * @param {number} now
 */
export const priceAndAge = (row, now) => [priceOf(row), ago(now - row.created_at)].filter(Boolean).join(" · ");

/**
 * Why there is no video, in the page's language; "" for nothing. What a node told has no `failure`: it is shown as it
 * came.
 *
 * @param {Pick<Row, "error"> & Partial<Pick<Row, "failure">>} row
 */
export const errorOf = ({ error, failure }) => errorText({ error, ...failure });

/**
 * What is wrong with it, in words; "" for nothing. That it was cancelled is its state.
 *
 * @param {Row} row
 */
export const troubleOf = (row) =>
  isCancelled(row) ? "" : errorOf(row) || row.warning || (row.state === "stored" && !row.file ? t("file_gone") : "");

/**
 * What its state means for whoever waits for it; "" where that is plain.
 *
 * @param {Brief} row
 */
export function noteOf({ state, place }) {
  if (state === "queued" && place === 0) return t("queued_left_why");
  return state === "stale" ? t("stale_why") : "";
}

/**
 * Does a row belong to the list that is shown? Archived jobs are in no list but their own.
 *
 * @param {Row} row
 * @param {Filter} filter
 */
export function matches(row, { state, search }) {
  if (state ? row.group !== state : row.group === "forgotten") return false;
  const wanted = search.trim().toLowerCase();
  return !wanted || [row.prompt, row.id, row.video_id].some((text) => (text ?? "").toLowerCase().includes(wanted));
}

/**
 * The ledger's id of the job in the name of its file, `2026-11-26_<id>.mp4`, also as browsers number a copy of it.
 *
 * @param {string} name
 */
export const jobInName = (name) => /_([0-9a-z]{10})(?:[ _]?\(\d+\))?\.mp4$/i.exec(name)?.[1].toLowerCase() ?? "";
