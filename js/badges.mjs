/** What a node costs or needs, in a badge above it. */

/** @import { Choice, GraphNode, Model, Quote, QuoteRequest, Row } from "./types.d.ts" */

import { bytes, price, span } from "./figures.mjs";
import { isLinked, sourceOf, widgetOf } from "./graphs.mjs";
import { memoryOf } from "./memory.mjs";
import { statusOf } from "./models.mjs";
import { lineOf } from "./row.mjs";
import { hasText, t } from "./words.mjs";

const DEEPEST = 20; // nodes that are looked through for the job behind a video
const PRICED = ["model", "custom_model", "seconds", "size", "provider", "extra_fields"]; // widgets that decide a price
const PENDING = "…"; // until the server's response

/** @typedef {{ of(node: GraphNode, wanted: QuoteRequest): Quote | undefined }} QuoteSource */

/**
 * @param {GraphNode} node
 * @param {string} name
 */
const valueOf = (node, name) => (isLinked(node, name) ? undefined : widgetOf(node, name)?.value);

/**
 * @param {GraphNode} node
 * @param {string} name
 */
const textOf = (node, name) => String(valueOf(node, name) ?? "").trim();

/**
 * The values of CreateSoraJob's widgets; undefined for what comes through a link.
 *
 * @param {GraphNode} node
 */
export function widgetValues(node) {
  const [model, seconds, size, provider] = ["model", "seconds", "size", "provider"].map((name) => valueOf(node, name));
  const named = isLinked(node, "custom_model") ? undefined : textOf(node, "custom_model") || model;
  return { model: named, seconds, size, provider };
}

/**
 * The same, for POST /sora/quote: null for what comes through a link. Images of a muted node do not count.
 *
 * @param {GraphNode} node
 */
function quoteRequest(node) {
  const values = PRICED.map((name) => [name, isLinked(node, name) ? null : String(widgetOf(node, name)?.value ?? "")]);
  const images = ["reference", "last_reference"].filter((name) => sourceOf(node, name)?.mode === 0);
  return { ...Object.fromEntries(values), references: images.length };
}

/** @param {Quote | undefined} quote */
function quoteText(quote) {
  if (quote === undefined) return PENDING;
  if (quote.usd === undefined) return "";
  const parts = [price(quote.usd)];
  const why = `price_unknown_${quote.unknown}`;
  if (quote.unknown && hasText(why)) parts[0] += ` (${t(why, quote.facts)})`;
  if (quote.price_age_days) parts.push(t("old_price", { age: span(86400 * quote.price_age_days) }));
  if (quote.comes_out) parts.push(t("comes_out", { size: quote.comes_out.replace("x", "×") }));
  return parts.join(" · ");
}

/**
 * Where the job of a node is in the line; "" for one that is not queued, or unknown. Before another text of the badge.
 *
 * @param {Row | null | undefined} job
 * @param {string} [text]
 */
export const lineText = (job, text = "") => [job && lineOf(job), text].filter(Boolean).join(" · ");

/**
 * The badge of CreateSoraJob: what it will cost, as the server says.
 *
 * @param {GraphNode} node
 * @param {Model[]} models
 * @param {QuoteSource} quotes
 */
export function priceText(node, models, quotes) {
  const { model, provider } = widgetValues(node);
  if (statusOf(models, model, provider).state === "retired") return t("gone");
  return quoteText(quotes.of(node, quoteRequest(node)));
}

/**
 * The badge of Remix: the price by what it starts from.
 *
 * @param {GraphNode} node
 * @param {QuoteSource} quotes
 */
export function remixText(node, quotes) {
  if (node.inputs?.find(({ name }) => name === "job")?.link == null) return "";
  const wanted = parentOf(originOf(node, "job"));
  return wanted ? quoteText(quotes.of(node, wanted)) : price(null);
}

/**
 * For POST /sora/quote, what a remix of that node's job is; undefined where the page cannot tell.
 *
 * @param {GraphNode | undefined} origin
 * @returns {QuoteRequest | undefined}
 */
function parentOf(origin) {
  if (origin?.comfyClass === "CreateSoraJob") return { ...quoteRequest(origin), remix: true };
  if (!origin || isLinked(origin, "video_id") || isLinked(origin, "past_job")) return undefined;
  const provider = valueOf(origin, "provider");
  return { job: openedBy(origin), provider: provider == null ? null : String(provider) };
}

/**
 * The job that SoraOpenJob opens: the id that was typed, else that at the end of the line that was chosen.
 *
 * @param {GraphNode} node
 */
export const openedBy = (node) =>
  textOf(node, "video_id") || (textOf(node, "past_job").split(" · ").at(-1) ?? "").trim();

/**
 * The CreateSoraJob or SoraOpenJob whose job, or the video of it, comes to an input of a node.
 *
 * @param {GraphNode} node
 * @param {string} name
 */
function originOf(node, name) {
  let at = sourceOf(node, name);
  for (let step = 0; at && step < DEEPEST; step += 1) {
    const kind = at.comfyClass ?? at.type;
    if (kind === "CreateSoraJob" || kind === "SoraOpenJob") return at;
    if (kind === "Reroute") at = sourceOf(at, at.inputs?.[0]?.name);
    else if (kind === "WaitForVideo" || kind === "Remix") at = sourceOf(at, "job");
    else return undefined;
  }
  return undefined;
}

/** @typedef {(id: string) => Pick<Choice, "seconds" | "size"> | null | undefined} JobSource a job that is known here */

/**
 * Length and size of the video that comes to a node. A remix is as long and as large as what it was made from.
 *
 * @param {GraphNode} node
 * @param {JobSource} jobOf
 */
function videoOf(node, jobOf) {
  const origin = originOf(node, "video");
  return origin?.comfyClass === "CreateSoraJob" ? widgetValues(origin) : origin && jobOf(openedBy(origin));
}

/**
 * The badge of LoadVideoFrames: what its frames will take; "" where that cannot be known yet.
 *
 * @param {GraphNode} node
 * @param {JobSource} jobOf
 */
export function memoryText(node, jobOf) {
  const video = videoOf(node, jobOf);
  const settings = Object.fromEntries((node.widgets ?? []).map(({ name, value }) => [name, value]));
  const need = video && memoryOf(video, settings);
  return need ? t(settings.memory === "disk" ? "on_disk" : "memory", { bytes: bytes(need) }) : "";
}
