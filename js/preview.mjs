/** CreateSoraJob shows its reference as it will be sent, before anything is sent. */

/** @import { GraphNode, Host, Widget } from "./types.d.ts" */

import { widgetValues } from "./badges.mjs";
import { el, setText } from "./dom.mjs";
import { fitted, sides } from "./fit.mjs";
import { hook, isLinked, nodesOf, sourceOf, widgetOf } from "./graphs.mjs";
import { currentLanguage, t } from "./words.mjs";

const NAME = "sora_preview";
export const LOOK_MS = 600; // nothing tells when another node has its picture
const SIDE = 320; // pixels of the longer side, as it is drawn
const HIGH = 180; // pixels that the node gives it

/** The previews of all nodes, which one timer of the page brings up to date. Nothing is kept of a node that is gone,
 * whether the page told that it removed it or not: what is looked at are the nodes of the open workflow. */
export class Previews {
  /** @type {WeakMap<GraphNode, () => void>} */
  #updates = new WeakMap();
  #host;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /** @param {GraphNode} node */
  attach(node) {
    this.#updates.set(node, attachPreview(node, this.#host));
  }

  update() {
    for (const graph of this.#host.graphs()) for (const node of nodesOf(graph)) this.#updates.get(node)?.();
  }
}

/**
 * The picture that a node shows (`imgs`), or that a LoadImage names: an address.
 *
 * @param {GraphNode | undefined} node
 * @param {Host["url"]} url
 */
function addressOf(node, url) {
  const shown = node?.imgs?.[node.imageIndex ?? 0]?.src;
  if (shown) return shown;
  const named = node?.comfyClass === "LoadImage" && !isLinked(node, "image") && widgetOf(node, "image")?.value;
  if (typeof named !== "string" || !named) return "";
  const [, path = "", type = "input"] = named.match(/^(.*?)(?: \[(\w+)\])?$/) ?? [];
  const cut = path.lastIndexOf("/");
  const query = { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(0, cut)), type };
  return url(`/view?${new URLSearchParams(query)}`);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {[width: number, height: number]} size
 * @param {unknown} fit
 */
function draw(canvas, image, size, fit) {
  const scale = SIDE / Math.max(...size);
  const { from, to } = fitted(image.naturalWidth, image.naturalHeight, size, fit);
  [canvas.width, canvas.height] = size.map((side) => Math.max(1, Math.round(side * scale)));
  const brush = canvas.getContext("2d");
  if (!brush) return;
  brush.fillStyle = "#000"; // what pad puts around it, and what transparent places become
  brush.fillRect(0, 0, canvas.width, canvas.height);
  const [left, top, width, height] = to.map((side) => side * scale);
  brush.drawImage(image, ...from, left, top, width, height);
}

/**
 * Have a node show its reference. Returns what brings it up to date.
 *
 * @param {GraphNode} node
 * @param {Host} host
 */
function attachPreview(node, host) {
  /** @type {Widget | null} */
  let widget = null;
  let [key, height] = ["", 0];
  let removed = false;
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

  /** @param {number} by */
  function grow(by) {
    node.setSize([node.size[0], Math.max(node.size[1] + by, node.computeSize()[1])]);
    node.setDirtyCanvas?.(true, true);
  }

  /**
   * @param {HTMLImageElement} image
   * @param {[width: number, height: number]} sizes
   * @param {unknown} size
   * @param {unknown} fit
   */
  function present(image, sizes, size, fit) {
    draw(canvas, image, sizes, fit);
    const text = t("preview", { size, fit });
    canvas.setAttribute("aria-label", text);
    setText(words, text);
    if (widget) return;
    const before = node.size[1];
    const given = { serialize: false, hideOnZoom: true, getMinHeight: () => HIGH, getMaxHeight: () => HIGH };
    widget = node.addDOMWidget(NAME, NAME, box, given);
    widget.serialize = false; // it comes last and has no value, so no value of another widget moves
    grow(0);
    height = Math.max(0, node.size[1] - before);
  }

  function update() {
    if (removed) return;
    const { size } = widgetValues(node);
    const sizes = sides(size);
    const fit = isLinked(node, "fit") ? undefined : widgetOf(node, "fit")?.value;
    const shown = sizes && fit && !host.copiesWidgets(node);
    const address = shown ? addressOf(sourceOf(node, "reference"), host.url) : "";
    const now = address && [address, size, fit, currentLanguage()].join("\n");
    if (now === key) return;
    key = now;
    if (!sizes || !address) return hide();
    const image = new Image();
    const isWanted = () => !removed && key === now; // and not one that comes late
    image.onload = () => isWanted() && present(image, sizes, size, fit);
    image.onerror = () => isWanted() && hide();
    image.src = address;
  }

  const unhook = hook(node, "onRemoved", () => {
    removed = true;
    unhook();
  });
  return update;
}
