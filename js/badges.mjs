/** What a node costs or needs, in a badge above it. */

import { bytes, price } from "./figures.mjs";
import { isLinked, linkOf, widgetOf } from "./graphs.mjs";
import { memoryOf } from "./memory.mjs";
import { standing, usdOf } from "./models.mjs";
import { say } from "./words.mjs";

const DEEPEST = 20; // nodes that are looked through for the job behind a video

const valueOf = (node, name) => (isLinked(node, name) ? undefined : widgetOf(node, name)?.value);

/** What CreateSoraJob's widgets say; undefined for what comes through a link. */
export function asked(node) {
  const typed = String(valueOf(node, "custom_model") ?? "").trim();
  const [model, seconds, size, provider] = ["model", "seconds", "size", "provider"].map((name) => valueOf(node, name));
  return { model: typed || model, seconds, size, provider };
}

/** The badge of CreateSoraJob: what it will cost, as far as anybody knows. */
export function priceText(node, models) {
  const wanted = asked(node);
  if (standing(models, wanted.model, wanted.provider).state === "retired") return say("gone");
  return models.length ? price(usdOf(models, wanted)) : "";
}

/** The node that an input comes from. */
function source(node, name) {
  const link = linkOf(node.graph, node.inputs?.find((input) => input.name === name)?.link);
  return link && node.graph.getNodeById(link.origin_id);
}

/** The job that SoraOpenJob takes up: the id that was typed, else that at the end of the line that was chosen. */
const openedBy = (node) =>
  String(valueOf(node, "video_id") ?? "").trim() || String(valueOf(node, "past_job") ?? "").split(" · ").at(-1).trim();

/** Length and size of the video that comes to a node; `row(id)` gives a job that is known here. */
function videoOf(node, row) {
  let at = source(node, "video");
  for (let step = 0; at && step < DEEPEST; step += 1) {
    const kind = at.comfyClass ?? at.type;
    if (kind === "CreateSoraJob" || kind === "SoraSubmitOnly") return asked(at);
    if (kind === "SoraOpenJob") return row(openedBy(at));
    if (kind !== "WaitForVideo" && kind !== "Remix") return undefined;
    at = source(at, "job"); // a remix is as long and as large as what it was made from
  }
  return undefined;
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
