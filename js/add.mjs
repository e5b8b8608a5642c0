/** A job's nodes in the open graph. They only stand there: nothing is bought before the user runs them. */

/** @import { AgainResponse, Canvas, GraphNode, Host, Model, Row } from "./types.d.ts" */

import { nodesOf, setWidget, widgetOf } from "./graphs.mjs";

const GAP = 60; // pixels between nodes, with the title of the lower one

/** @typedef {[type: string, widgets: Record<string, unknown>, link?: [output: number, input: string]]} Step */
/** @typedef {Host["create"]} Create */

/**
 * Nodes in a row below all others, each connected to the one before it.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {Step[]} steps
 */
function chain(canvas, create, steps) {
  const { graph } = canvas;
  const others = nodesOf(graph);
  let left = Math.min(...others.map((node) => node.pos[0]));
  if (!others.length) left = 0;
  const top = others.length ? Math.max(...others.map((node) => node.pos[1] + node.size[1])) + 2 * GAP : 0;
  /** @type {GraphNode[]} */
  const made = [];
  for (const [type, widgets, link] of steps) {
    const node = create(type);
    graph.add(node);
    node.pos = [left, top];
    left += node.size[0] + GAP;
    for (const [name, value] of Object.entries(widgets)) setWidget(node, name, value);
    const before = made.at(-1);
    if (link && before) connect(before, link[0], node, link[1]);
    made.push(node);
  }
  return made;
}

/**
 * @param {GraphNode} from
 * @param {number} output
 * @param {GraphNode} to
 * @param {string} input
 */
function connect(from, output, to, input) {
  from.connect(
    output,
    to,
    to.inputs.findIndex((one) => one.name === input),
  );
}

/**
 * As one step that one undo takes back; the new nodes are selected and in sight.
 *
 * @param {Canvas} canvas
 * @param {() => GraphNode[]} make
 */
function shown(canvas, make) {
  canvas.emitBeforeChange?.();
  try {
    const nodes = make();
    (canvas.selectItems ?? canvas.selectNodes)?.call(canvas, nodes);
    canvas.centerOnNode?.(nodes[Math.floor(nodes.length / 2)]);
    canvas.setDirty?.(true, true);
    return nodes;
  } finally {
    canvas.emitAfterChange?.();
  }
}

/** @type {Step} */
const WAIT = ["WaitForVideo", {}, [0, "job"]];
/**
 * @param {Pick<Row, "id" | "provider">} row
 * @returns {Step[]}
 */
const opened = (row) => [["SoraOpenJob", { video_id: row.id, provider: row.provider }], WAIT];

/**
 * SoraOpenJob -> WaitForVideo.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {Row} row
 */
export const addJob = (canvas, create, row) => shown(canvas, () => chain(canvas, create, opened(row)));

/**
 * … -> LoadVideoFrames.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {Row} row
 */
export const addFrames = (canvas, create, row) =>
  shown(canvas, () => chain(canvas, create, [...opened(row), ["LoadVideoFrames", {}, [0, "video"]]]));

/**
 * … -> Remix -> WaitForVideo. Returns the node whose prompt is to be written.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {Row} row
 */
export function addRemix(canvas, create, row) {
  const nodes = shown(canvas, () => chain(canvas, create, [...opened(row), ["Remix", {}, [1, "job"]], WAIT]));
  return nodes.find((node) => node.type === "Remix");
}

/**
 * The take itself, or the next one that no node of the graph has with this prompt: two that are added are two.
 *
 * @param {Canvas["graph"]} graph
 * @param {string} type
 * @param {string} prompt
 * @param {number} take
 */
function freeTake(graph, type, prompt, take) {
  const alike = nodesOf(graph).filter((node) => node.type === type && widgetOf(node, "prompt")?.value === prompt);
  const taken = new Set(alike.map((node) => Number(widgetOf(node, "take")?.value)));
  let free = take;
  while (taken.has(free)) free += 1;
  return free;
}

/**
 * The values of CreateSoraJob's widgets that send a row's job again as that take.
 *
 * @param {Row} row
 * @param {Model[]} models
 * @param {Pick<AgainResponse, "fit" | "take">} again
 */
export function widgetsOf(row, models, { fit, take }) {
  const listed = models.some((model) => model.id === row.model);
  const extra = Object.keys(row.extra_fields ?? {}).length ? JSON.stringify(row.extra_fields) : "";
  const named = listed ? { model: row.model, custom_model: "" } : { custom_model: row.model };
  const { prompt, provider, seconds, size, project } = row;
  return { ...named, prompt, provider, seconds, size, take, project, extra_fields: extra, ...(fit && { fit }) };
}

/**
 * CreateSoraJob -> WaitForVideo, with the reference images before it (`images`: names in ComfyUI's input folder), as
 * `take` or the next one that is free.
 *
 * A remix is a remix again: of the same parent, with the same prompt.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {Row} row
 * @param {Model[]} models
 * @param {AgainResponse} again
 */
export function addAgain(canvas, create, row, models, { images, fit, take: next }) {
  const take = freeTake(canvas.graph, row.kind === "remix" ? "Remix" : "CreateSoraJob", row.prompt, next);
  if (row.kind === "remix") {
    /** @type {Step[]} */
    const steps = [
      ...opened({ id: row.parent, provider: row.provider }),
      ["Remix", { prompt: row.prompt, take, project: row.project }, [1, "job"]],
    ];
    return shown(canvas, () => chain(canvas, create, [...steps, WAIT]));
  }
  return shown(canvas, () => {
    const [job, wait] = chain(canvas, create, [["CreateSoraJob", widgetsOf(row, models, { fit, take })], WAIT]);
    const pictures = images.map((name, at) => addImage(canvas, create, job, name, at));
    return [...pictures, job, wait];
  });
}

/**
 * A LoadImage left of the job, connected to its first or its last reference.
 *
 * @param {Canvas} canvas
 * @param {Create} create
 * @param {GraphNode} job
 * @param {string} name
 * @param {number} at
 */
function addImage(canvas, create, job, name, at) {
  const node = create("LoadImage");
  canvas.graph.add(node);
  node.pos = [job.pos[0] - node.size[0] - GAP, job.pos[1] + at * (node.size[1] + 2 * GAP)];
  const values = widgetOf(node, "image")?.options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name); // the host read its folder before
  setWidget(node, "image", name);
  connect(node, 0, job, at ? "last_reference" : "reference");
  return node;
}
