/** What a node costs or needs, in a badge above it. */

import { bytes, price, span } from "./figures.mjs";
import { isLinked, linkOf, widgetOf } from "./graphs.mjs";
import { memoryOf } from "./memory.mjs";
import { standing } from "./models.mjs";
import { say } from "./words.mjs";

const DEEPEST = 20; // nodes that are looked through for the job behind a video
const PRICED = ["model", "custom_model", "seconds", "size", "provider", "extra_fields"]; // widgets that decide a price
const ASKED = "…"; // while the server is asked

const valueOf = (node, name) => (isLinked(node, name) ? undefined : widgetOf(node, name)?.value);

/** What CreateSoraJob's widgets say; undefined for what comes through a link. */
export function asked(node) {
  const typed = String(valueOf(node, "custom_model") ?? "").trim();
  const [model, seconds, size, provider] = ["model", "seconds", "size", "provider"].map((name) => valueOf(node, name));
  return { model: isLinked(node, "custom_model") ? undefined : typed || model, seconds, size, provider };
}

/** The node that an input comes from. */
function source(node, name) {
  const link = linkOf(node.graph, node.inputs?.find((input) => input.name === name)?.link);
  return link && node.graph.getNodeById(link.origin_id);
}

/** The same, for POST /sora/quote: null for what comes through a link. Images of a muted node do not count. */
function wantedOf(node) {
  const values = PRICED.map((name) => [name, isLinked(node, name) ? null : String(widgetOf(node, name)?.value ?? "")]);
  const images = ["reference", "last_reference"].filter((name) => source(node, name)?.mode === 0);
  return { ...Object.fromEntries(values), references: images.length };
}

function priced(quote) {
  if (quote === undefined) return ASKED;
  if (quote.usd === undefined) return "";
  const said = [price(quote.usd)];
  if (quote.price_age_days) said.push(say("old_price", { age: span(86400 * quote.price_age_days) }));
  if (quote.comes_out) said.push(say("comes_out", { size: quote.comes_out.replace("x", "×") }));
  return said.join(" · ");
}

/** The badge of CreateSoraJob: what it will cost. `quotes.of(node, wanted)` tells what the server says. */
export function priceText(node, models, quotes) {
  const { model, provider } = asked(node);
  if (standing(models, model, provider).state === "retired") return say("gone");
  return priced(quotes.of(node, wantedOf(node)));
}

/** The badge of Remix: the price by what it starts from. */
export function remixText(node, quotes) {
  if (node.inputs?.find(({ name }) => name === "job")?.link == null) return "";
  const wanted = parentOf(originOf(node, "job"));
  return wanted ? priced(quotes.of(node, wanted)) : price(null);
}

/** For POST /sora/quote, what a remix of that node's job is; undefined where the page cannot tell. */
function parentOf(origin) {
  if (origin?.comfyClass === "CreateSoraJob") return { ...wantedOf(origin), remix: true };
  if (!origin || isLinked(origin, "video_id") || isLinked(origin, "past_job")) return undefined;
  return { job: openedBy(origin), provider: valueOf(origin, "provider") ?? null };
}

/** The job that SoraOpenJob takes up: the id that was typed, else that at the end of the line that was chosen. */
const openedBy = (node) =>
  String(valueOf(node, "video_id") ?? "").trim() ||
  String(valueOf(node, "past_job") ?? "")
    .split(" · ")
    .at(-1)
    .trim();

/** The CreateSoraJob or SoraOpenJob whose job, or the video of it, comes to an input of a node. */
function originOf(node, name) {
  let at = source(node, name);
  for (let step = 0; at && step < DEEPEST; step += 1) {
    const kind = at.comfyClass ?? at.type;
    if (kind === "CreateSoraJob" || kind === "SoraOpenJob") return at;
    if (kind === "Reroute") at = source(at, at.inputs?.[0]?.name);
    else if (kind === "WaitForVideo" || kind === "Remix") at = source(at, "job");
    else return undefined;
  }
  return undefined;
}

/** Length and size of the video that comes to a node; `row(id)` gives a job that is known here. A remix is as long and
 * as large as what it was made from. */
function videoOf(node, row) {
  const origin = originOf(node, "video");
  return origin?.comfyClass === "CreateSoraJob" ? asked(origin) : origin && row(openedBy(origin));
}

/** The badge of LoadVideoFrames: what its frames will take; "" where that cannot be known yet. */
export function memoryText(node, row) {
  const video = videoOf(node, row);
  const settings = Object.fromEntries((node.widgets ?? []).map(({ name, value }) => [name, value]));
  const need = video && memoryOf(video, settings);
  return need ? say(settings.memory === "disk" ? "on_disk" : "memory", { bytes: bytes(need) }) : "";
}

/** Put a badge on a node. `text()` says what it reads; `live()` is read with it, so that Nodes 2.0 ask again. */
export function addBadge(node, Badge, text, live) {
  if (!Badge || !Array.isArray(node.badges)) return;
  let [shown, badge] = ["", new Badge({ text: "" })];
  node.badges.push(() => {
    live();
    const now = text();
    if (now !== shown) [shown, badge] = [now, new Badge({ text: now })];
    return badge;
  });
}
