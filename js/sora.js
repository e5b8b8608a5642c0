/** What the page gets from this pack: combos that know the models, and two commands. Nothing here buys anything. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { convertAll } from "./convert.mjs";
import { graphsOf, nodesOf } from "./graphs.mjs";
import { attach } from "./node.mjs";
import { WORDS } from "./words.mjs";

const SHOWN_MS = 12_000;

const looks = new WeakMap(); // node -> what looks at it again
const standing = new Map(); // text -> when its toast goes
let models = [];

function toast(severity, detail) {
  app.extensionManager.toast.add({ severity, summary: WORDS.title, detail, life: SHOWN_MS });
}

const page = {
  models: () => models,

  /** A toast; not again while the same words stand there: ten nodes may say the same, and an undo loads all anew. */
  tell(severity, detail) {
    if (standing.get(detail) > Date.now()) return;
    standing.set(detail, Date.now() + SHOWN_MS);
    toast(severity, detail);
  },

  async nearest(model, seconds, size, provider) {
    const query = new URLSearchParams({ model, seconds, size, provider });
    const answer = await api.fetchApi(`/sora/models/nearest?${query}`);
    return answer.ok ? answer.json() : {};
  },

  /** The first Nodes 2.0 (1.27) copy the widgets of a node that is on the screen once; later ones watch the array. */
  frozen: (node) =>
    !!window.LiteGraph.vueNodesMode &&
    node.graph === app.canvas.graph &&
    !Object.getOwnPropertyDescriptor(node, "widgets")?.get,

  /** Those show a value that they did not set themselves only in a node that was folded. The node itself is not. */
  redraw(node) {
    if (!page.frozen(node)) return;
    const fold = (newValue) =>
      node.graph?.onTrigger?.("node:property:changed", { nodeId: node.id, property: "flags.collapsed", newValue });
    fold(true);
    requestAnimationFrame(() => fold(!!node.flags?.collapsed));
  },

  async confirm(message) {
    const { dialog } = app.extensionManager;
    return dialog?.confirm ? !!(await dialog.confirm({ title: WORDS.title, message })) : window.confirm(message);
  },
};

/** Read the catalogue. Without it the combos stay as the host made them; the backend checks all the same. */
async function load() {
  const answer = await api.fetchApi("/sora/models");
  if (answer.ok) models = (await answer.json()).models;
  for (const graph of graphsOf(app)) for (const node of nodesOf(graph)) looks.get(node)?.();
}

async function refresh() {
  try {
    const answer = await api.fetchApi("/sora/models/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error ? `${told.error} ${told.advice ?? ""}` : `HTTP ${answer.status}`);
    await load();
    toast("success", WORDS.refreshed(told));
  } catch (error) {
    toast("error", WORDS.failed(error.message));
  }
}

function convert() {
  app.canvas.emitBeforeChange(); // so that one undo takes all of it back
  try {
    const { count, lost } = convertAll(graphsOf(app), (type) => window.LiteGraph.createNode(type));
    toast("info", count ? WORDS.converted(count) : WORDS.nothing);
    if (lost) toast("warn", WORDS.lost(lost));
  } finally {
    app.canvas.emitAfterChange();
  }
}

const commands = [
  { id: "sora-jobs.refresh", label: WORDS.refresh, icon: "pi pi-refresh", function: refresh },
  { id: "sora-jobs.convert", label: WORDS.convert, icon: "pi pi-arrow-right-arrow-left", function: convert },
];

app.registerExtension({
  name: "sora-jobs",
  commands,
  menuCommands: [{ path: ["Extensions", WORDS.title], commands: commands.map(({ id }) => id) }],
  setup: () => load().catch(() => {}),
  refreshComboInNodes: () => load().catch(() => {}), // the host has just put its own lists in again
  nodeCreated(node) {
    if (node.comfyClass === "CreateSoraJob") looks.set(node, attach(node, page));
  },
});
