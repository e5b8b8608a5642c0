/** Core's OpenAIVideoSora2 -> CreateSoraJob and WaitForVideo, with its links; also where the host no longer has it. */

/** @import { Graph, GraphNode, Host, Link, SavedNode } from "./types.d.ts" */

import { linkOf, nodesOf, setWidget } from "./graphs.mjs";

export const OLD = "OpenAIVideoSora2";
const ORDER = ["model", "prompt", "size", "duration"]; // of its widgets, in `widgets_values`
/** @type {Record<string, string>} */
const INPUTS = { model: "model", prompt: "prompt", size: "size", image: "reference" }; // not duration: a number
const GAP = 60; // between the new nodes, with the title of the lower one

/**
 * What the old node says, as CreateSoraJob's widgets. A node of a class that is gone has no widgets, only values.
 *
 * @param {Pick<GraphNode, "widgets" | "last_serialization"> & SavedNode} node
 */
export function settingsOf(node) {
  const saved = node.last_serialization ?? node;
  const positions = Array.isArray(saved.widgets_values) ? saved.widgets_values : [];
  const listed = Object.fromEntries(ORDER.map((name, at) => [name, positions[at]]));
  const shown = Object.fromEntries((node.widgets ?? []).map((widget) => [widget.name, widget.value]));
  /** @type {Record<string, unknown>} */
  const found = { ...listed, ...saved.widgets_values_named, ...shown };
  return {
    model: String(found.model ?? "sora-2"),
    prompt: String(found.prompt ?? ""),
    seconds: String(found.duration ?? "8"),
    size: String(found.size ?? "1280x720"),
  };
}

/**
 * Connect what a link came from to an input of `node`. Whether it fits is read off the graph: returns differ.
 *
 * @param {Graph} graph
 * @param {Link} link
 * @param {GraphNode} node
 * @param {number} slot
 */
function connectFrom(graph, link, node, slot) {
  const source = graph.getNodeById(link.origin_id);
  if (source) source.connect(link.origin_slot, node, slot, link.parentId);
  else graph.inputs?.[link.origin_slot]?.connect(node.inputs[slot], node, link.parentId); // of a subgraph
  return node.inputs[slot].link != null;
}

/**
 * Connect the first output of `node` to where a link went.
 *
 * @param {Graph} graph
 * @param {Link} link
 * @param {GraphNode} node
 */
function connectTo(graph, link, node) {
  const before = node.outputs[0].links?.length ?? 0;
  const target = graph.getNodeById(link.target_id);
  if (target) node.connect(0, target, link.target_slot, link.parentId);
  else graph.outputs?.[link.target_slot]?.connect(node.outputs[0], node, link.parentId);
  return (node.outputs[0].links?.length ?? 0) > before;
}

/**
 * Replace one node. Returns how many links did not fit.
 *
 * @param {Graph} graph
 * @param {GraphNode} old
 * @param {Host["create"]} create
 */
function convert(graph, old, create) {
  const [job, wait] = [create("CreateSoraJob"), create("WaitForVideo")];
  for (const node of [job, wait]) {
    graph.add(node);
    node.mode = old.mode; // muted or bypassed nodes stay so, and buy nothing
  }
  job.pos = [old.pos[0], old.pos[1]];
  wait.pos = [old.pos[0], old.pos[1] + job.size[1] + GAP];
  for (const [name, value] of Object.entries(settingsOf(old))) setWidget(job, name, value);

  /**
   * @param {GraphNode} node
   * @param {string} name
   */
  const slot = (node, name) => node.inputs.findIndex((input) => input.name === name);
  let lost = 0;
  for (const input of [...(old.inputs ?? [])]) {
    const link = linkOf(graph, input.link);
    const name = input.widget?.name ?? input.name;
    if (!link || name === "seed") continue; // which was never sent
    const at = slot(job, INPUTS[name]);
    if (at < 0 || !connectFrom(graph, link, job, at)) lost += 1;
  }
  for (const id of [...(old.outputs?.[0]?.links ?? [])]) {
    const link = linkOf(graph, id);
    if (link && !connectTo(graph, link, wait)) lost += 1;
  }
  job.connect(0, wait, slot(wait, "job"));
  graph.remove(old);
  return lost;
}

/**
 * Replace all of them in these graphs; how many there were, and how many links did not fit.
 *
 * @param {Graph[]} graphs
 * @param {Host["create"]} create
 */
export function convertAll(graphs, create) {
  const told = { count: 0, lost: 0 };
  for (const graph of graphs) {
    for (const node of nodesOf(graph).filter((one) => one.type === OLD)) {
      told.lost += convert(graph, node, create);
      told.count += 1;
    }
  }
  return told;
}
