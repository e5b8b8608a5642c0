/** What the helpers get of ComfyUI's page. Its versions differ, and the differences end here. */

import { TITLE, say } from "./words.mjs";

const SHOWN_MS = 12_000;
const LONGEST_READ_MS = 90_000; // the ledger may be held for some time; a read that hangs would hold up all later ones
export const TAB = "sora-jobs";

/**
 * `app` and `api` are the page's. `blocked(name, language)` is called when the server does not take the name by which
 * the page was opened, and with "" once it does.
 */
export function makeHost(app, api, blocked = async () => {}) {
  const standing = new Map(); // text -> when its toast goes
  let [name, changed] = ["", undefined];

  async function ask(path, options) {
    const answer = await api.fetchApi(path, options).catch(() => Promise.reject(new Error(say("no_server"))));
    const told = await answer.json().catch(() => ({}));
    const refused = answer.status === 403 ? (told.host ?? "") : "";
    if (refused !== name) changed = blocked((name = refused), told.language);
    await changed; // also those that asked at the same time: the words are in its language then
    if (refused) throw new Error(say("host_blocked", { host: refused }));
    if (!answer.ok) throw new Error([told.error ?? `HTTP ${answer.status}`, told.advice].filter(Boolean).join(" "));
    return told;
  }

  const host = {
    get: (path) => ask(path, { signal: AbortSignal.timeout(LONGEST_READ_MS) }),
    post: (path, body = {}) =>
      ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    url: (path) => api.apiURL(path),
    file: (row) => api.apiURL(`/view?${new URLSearchParams(row.file)}`),

    toast(severity, detail) {
      app.extensionManager.toast.add({ severity, summary: TITLE, detail, life: SHOWN_MS });
    },

    /** A toast; not again while the same words stand there: ten nodes may say the same, and an undo loads all anew. */
    tell(severity, detail) {
      if (standing.get(detail) > Date.now()) return;
      standing.set(detail, Date.now() + SHOWN_MS);
      host.toast(severity, detail);
    },

    say: (text, severity = "info") => host.toast(severity, text),

    /** Do it; what goes wrong is told. */
    async attempt(run) {
      try {
        return await run();
      } catch (error) {
        return host.toast("error", say("failed_because", { why: error.message }));
      }
    },

    async confirm(message) {
      const { dialog } = app.extensionManager;
      if (!dialog?.confirm) return window.confirm(message);
      const held = document.activeElement;
      const yes = !!(await dialog.confirm({ title: TITLE, message }));
      held?.focus(); // some versions leave the keyboard nowhere
      return yes;
    },

    canvas: () => app.canvas,
    create: (type) => window.LiteGraph.createNode(type),

    /** Bring the keyboard into a node's prompt, once it is on the screen. */
    write(node) {
      const widget = node.widgets?.find(({ name }) => name === "prompt");
      const place = () =>
        document.querySelector(`[data-node-id="${node.id}"] textarea`) ?? widget?.element ?? widget?.inputEl;
      setTimeout(() => place()?.focus(), 200);
    },

    /** The tab as the page keeps it: what is set there is seen, and what reads it is asked again. */
    tab: () => app.extensionManager.getSidebarTabs?.().find(({ id }) => id === TAB) ?? {},

    /** Have the badges read again: Nodes 2.0 do it when something changes that they read through `stirred`. */
    stir() {
      host.tab().stirred = (host.stirred() ?? 0) + 1;
      app.canvas?.setDirty(true, true);
    },
    stirred: () => host.tab().stirred,

    openTab() {
      const { sidebarTab } = app.extensionManager;
      if (sidebarTab && sidebarTab.activeSidebarTabId !== TAB) sidebarTab.activeSidebarTabId = TAB;
    },

    /** The first Nodes 2.0 (1.27) copy the widgets of a node that is on the screen once; later ones watch the array. */
    frozen: (node) =>
      !!window.LiteGraph.vueNodesMode &&
      node.graph === app.canvas.graph &&
      !Object.getOwnPropertyDescriptor(node, "widgets")?.get,

    /** Those show a value that they did not set themselves only in a node that was folded. The node itself is not. */
    redraw(node) {
      if (!host.frozen(node)) return;
      const fold = (newValue) =>
        node.graph?.onTrigger?.("node:property:changed", { nodeId: node.id, property: "flags.collapsed", newValue });
      fold(true);
      requestAnimationFrame(() => fold(!!node.flags?.collapsed));
    },
  };
  return host;
}
