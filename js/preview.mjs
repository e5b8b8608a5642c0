/** CreateSoraJob shows its reference as it will be sent, before anything is sent. */

import { asked } from "./badges.mjs";
import { el, write } from "./dom.mjs";
import { fitted, sides } from "./fit.mjs";
import { hook, isLinked, linkOf, widgetOf } from "./graphs.mjs";
import { say, spoken } from "./words.mjs";

const NAME = "sora_preview";
const LOOK_MS = 600; // nothing tells when another node has its picture
const SIDE = 320; // pixels of the longer side, as it is drawn
const HIGH = 180; // pixels that the node gives it

/** The picture that a node shows (`imgs`), or that a LoadImage names: an address. */
function addressOf(node, url) {
  const shown = node?.imgs?.[node.imageIndex ?? 0]?.src;
  if (shown) return shown;
  const named = node?.comfyClass === "LoadImage" && !isLinked(node, "image") && widgetOf(node, "image")?.value;
  if (typeof named !== "string" || !named) return "";
  const [path, type] = named.match(/^(.*?)(?: \[(\w+)\])?$/).slice(1);
  const cut = path.lastIndexOf("/");
  const query = { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), type: type ?? "input" };
  return url(`/view?${new URLSearchParams(query)}`);
}

/** The node whose picture goes into `reference`. */
function sourceOf(node) {
  const link = linkOf(node.graph, node.inputs?.find(({ name }) => name === "reference")?.link);
  return link && node.graph.getNodeById(link.origin_id);
}

function draw(canvas, image, size, fit) {
  const scale = SIDE / Math.max(...size);
  const { from, to } = fitted(image.naturalWidth, image.naturalHeight, size, fit);
  [canvas.width, canvas.height] = size.map((side) => Math.max(1, Math.round(side * scale)));
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#000"; // what pad puts around it, and what transparent places become
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(image, ...from, ...to.map((side) => side * scale));
}

/** Look after a node until it is removed. `host` has url and frozen(node). */
export function attachPreview(node, host) {
  let [widget, key, height] = [null, "", 0];
  const canvas = el("canvas", { role: "img" });
  const words = el("div");
  const box = el("div", { class: "sora-preview" }, canvas, words);

  function hide() {
    if (!widget) return;
    const gone = widget;
    widget = null;
    node.removeWidget?.(gone);
    grow(-height);
  }

  function grow(by) {
    node.setSize([node.size[0], Math.max(node.size[1] + by, node.computeSize()[1])]);
    node.setDirtyCanvas?.(true, true);
  }

  function present(image, size, fit) {
    draw(canvas, image, sides(size), fit);
    const text = say("preview", { size, fit });
    canvas.setAttribute("aria-label", text);
    write(words, text);
    if (widget) return;
    const before = node.size[1];
    const given = { serialize: false, hideOnZoom: true, getMinHeight: () => HIGH, getMaxHeight: () => HIGH };
    widget = node.addDOMWidget(NAME, NAME, box, given);
    widget.serialize = false; // it comes last and has no value, so no value of another widget moves
    grow(0);
    height = Math.max(0, node.size[1] - before);
  }

  function look() {
    const { size } = asked(node);
    const fit = isLinked(node, "fit") ? undefined : widgetOf(node, "fit")?.value;
    const address = sides(size) && fit && !host.frozen(node) ? addressOf(sourceOf(node), host.url) : "";
    const now = address && [address, size, fit, spoken()].join("\n");
    if (now === key) return;
    key = now;
    if (!address) return hide();
    const image = new Image();
    image.onload = () => key === now && present(image, size, fit);
    image.onerror = () => key === now && hide();
    image.src = address;
  }

  const timer = setInterval(() => document.hidden || look(), LOOK_MS);
  const unhook = hook(node, "onRemoved", () => {
    clearInterval(timer);
    key = null; // a picture that is still to come finds nothing any more
    unhook();
  });
}
