/** What the helpers get of ComfyUI's page and of the server. The page's versions differ, and the differences end here:
 * each trick says which version of comfyui-frontend-package needs it no more (looked at: 1.27.10, 1.49.6, 1.58.1). */

/** @import { Api, App, ErrorResponse, Host, Severity, SidebarTab } from "./types.d.ts" */

import { graphsOf, widgetOf } from "./graphs.mjs";
import { Recent } from "./recent.mjs";
import { TITLE, errorText, t } from "./words.mjs";

const SHOWN_MS = 12_000;
const MOST_TOASTS = 50; // that are remembered, so as not to show them twice
const LONGEST_READ_MS = 90_000; // the ledger may be held for some time; a read that hangs would hold up all later ones
const FOCUS_MS = 200; // until a new node is on the screen
export const TAB = "sora-jobs";
const LOCALE = "Comfy.Locale";

/**
 * `pack` is what sora.js knows: `blocked(name)` is called when the server does not take the name by which the page was
 * opened, and with "" once it does; the others are those of the Host.
 *
 * @param {App} app
 * @param {Api} api
 * @param {Partial<Pick<Host, "models" | "useSettings" | "useLanguage">> & { blocked?: (name: string) => unknown }} pack
 * @returns {Host}
 */
export function makeHost(app, api, pack = {}) {
  const { blocked = () => {}, models = () => [], useSettings = () => {}, useLanguage = async () => {} } = pack;
  const server = makeServer(api, blocked);
  /** @type {Recent<string, number>} text -> when its toast goes */
  const toasts = new Recent(MOST_TOASTS);

  /** @type {Host} */
  const host = {
    ...server,
    ...makeTab(app),
    models,
    useSettings,
    useLanguage,
    nearest: (model, seconds, size, provider) =>
      host.get(`/sora/models/nearest?${new URLSearchParams({ model, seconds, size, provider })}`),

    toast(text, severity = "info") {
      app.extensionManager.toast.add({ severity, summary: TITLE, detail: text, life: SHOWN_MS });
    },

    /** Not again while the same words are shown: ten nodes may say the same, and an undo loads all anew. */
    toastOnce(text, severity) {
      if ((toasts.get(text) ?? 0) > Date.now()) return;
      toasts.set(text, Date.now() + SHOWN_MS);
      host.toast(text, severity);
    },

    async attempt(run) {
      try {
        return await run();
      } catch (error) {
        host.toast(t("failed_because", { why: messageOf(error) }), "error");
        return undefined;
      }
    },

    async confirm(message) {
      const { dialog } = app.extensionManager;
      if (!dialog?.confirm) return window.confirm(message);
      const held = /** @type {HTMLElement | null} */ (document.activeElement);
      const yes = !!(await dialog.confirm({ title: TITLE, message }));
      held?.focus(); // some versions leave the keyboard nowhere
      return yes;
    },

    locale: () => String(app.extensionManager.setting?.get?.(LOCALE) ?? ""),

    /** The page tells its extensions of a setting in this way only, up to 1.58.1; without it a reload is needed. */
    onLocale(changed) {
      /** @param {CustomEvent<{ value?: unknown }>} event */
      const told = ({ detail }) => changed(String(detail?.value ?? ""));
      app.ui?.settings?.addEventListener?.(`${LOCALE}.change`, told);
    },

    canvas: () => app.canvas,
    graphs: () => graphsOf(app),
    create: (type) => window.LiteGraph.createNode(type),

    /** Bring the keyboard into a node's prompt, once it is on the screen. */
    focusPrompt(node) {
      const widget = widgetOf(node, "prompt");
      /** @returns {HTMLElement | null | undefined} */
      const field = () =>
        document.querySelector(`[data-node-id="${node.id}"] textarea`) ?? widget?.element ?? widget?.inputEl;
      setTimeout(() => field()?.focus(), FOCUS_MS);
    },

    /**
     * Does the page copy a node's widgets once, when it is on the screen? The first Nodes 2.0 (1.27.10) do; from 1.49.6
     * on at the latest `widgets` is an accessor that Vue watches, which tells the two apart.
     */
    copiesWidgets: (node) =>
      !!window.LiteGraph.vueNodesMode &&
      node.graph === app.canvas.graph &&
      !Object.getOwnPropertyDescriptor(node, "widgets")?.get,

    /**
     * Show the values that were set here. Where widgets are copied (1.27.10), only a node that is folded and unfolded
     * shows them: the page is told that it was, and the node itself is not touched.
     */
    redrawWidgets(node) {
      if (!host.copiesWidgets(node)) return;
      /** @param {boolean} newValue */
      const fold = (newValue) =>
        node.graph?.onTrigger?.("node:property:changed", { nodeId: node.id, property: "flags.collapsed", newValue });
      fold(true);
      requestAnimationFrame(() => fold(!!node.flags?.collapsed));
    },
  };
  return host;
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Requests to the server, and its time.
 *
 * @param {Api} api
 * @param {(name: string) => unknown} blocked
 * @returns {Pick<Host, "get" | "post" | "url" | "file" | "now">}
 */
function makeServer(api, blocked) {
  let aheadMs = 0; // how far the server's clock is ahead of the browser's
  let name = "";

  /**
   * The body, of the type that the caller names.
   *
   * @template Body
   * @param {string} path
   * @param {RequestInit} options
   * @returns {Promise<Body>}
   */
  async function request(path, options) {
    const response = await api.fetchApi(path, options).catch(() => Promise.reject(new Error(t("no_server"))));
    /** @type {ErrorResponse & { now?: unknown }} */
    const body = await response.json().catch(() => ({}));
    if (typeof body.now === "number") aheadMs = 1000 * body.now - Date.now();
    const refused = response.status === 403 ? (body.host ?? "") : "";
    if (refused !== name) blocked((name = refused));
    if (refused) throw new Error(t("host_blocked", { host: refused }));
    if (!response.ok) throw new Error(errorText(body) || `HTTP ${response.status}`);
    return /** @type {Body} */ (body);
  }

  return {
    get: (path) => request(path, { signal: AbortSignal.timeout(LONGEST_READ_MS) }),
    post: (path, body = {}) =>
      request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    url: (path) => api.apiURL(path),
    file: (file) => api.apiURL(`/view?${new URLSearchParams(file)}`),
    now: () => (Date.now() + aheadMs) / 1000,
  };
}

/**
 * The tab's icon, the badges above nodes, and the host's dialogs.
 *
 * @param {App} app
 * @returns {Pick<Host, "tab" | "nameTab" | "countTab" | "openTab" | "closeDialog" | "addBadge" | "refreshBadges">}
 */
function makeTab(app) {
  /** The tab as the page keeps it (a Vue proxy), which is not the object that was registered. */
  const tab = () => app.extensionManager.getSidebarTabs?.().find(({ id }) => id === TAB);

  return {
    tab,

    nameTab(title, tooltip) {
      Object.assign(tab() ?? {}, { title, tooltip });
    },

    /**
     * The tab's icon carries the number of running jobs. It is written into the page's own object: a function is taken
     * as well, but is called again only when something of Vue's changes, of which an extension has nothing. No version
     * up to 1.58.1 has another way; one without the list of tabs shows no number.
     */
    countTab(running) {
      const [found, shown] = [tab(), running ? String(running) : null];
      if (found && found.iconBadge !== shown) found.iconBadge = shown;
    },

    openTab() {
      const { sidebarTab } = app.extensionManager;
      if (sidebarTab && sidebarTab.activeSidebarTabId !== TAB) sidebarTab.activeSidebarTabId = TAB;
    },

    /**
     * Close the host's dialog that `element` is in, or that is over everything. No version up to 1.58.1 gives
     * extensions a way (`extensionManager.dialog` only opens), so that it gets the Escape key that closes it for
     * everyone; where there is none, no key is sent.
     */
    closeDialog(within) {
      const dialog = within ? within.closest(DIALOG) : document.querySelector(OVER_ALL);
      const target = within ?? document.body;
      if (dialog) target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", code: "Escape", bubbles: true }));
    },

    /**
     * Put a badge on a node; `text()` says what it reads. The class is a global of the page in all versions up to
     * 1.58.1, none of which takes plain objects; without it there are no badges.
     */
    addBadge(node, text) {
      const Badge = window.LGraphBadge;
      if (!Badge || !Array.isArray(node.badges)) return;
      let [shown, badge] = ["", new Badge({ text: "" })];
      node.badges.push(() => {
        void tab()?.badgesRead; // see refreshBadges
        const now = text();
        if (now !== shown) [shown, badge] = [now, new Badge({ text: now })];
        return badge;
      });
    },

    /**
     * Have the badges read again. The classic renderer does it when it draws. Nodes 2.0, up to 1.58.1, do it when
     * something of Vue's changes that was read with them, and an extension has only its own tab of that kind: a counter
     * in it is read with every badge and raised here.
     */
    refreshBadges() {
      const found = tab();
      if (found) found.badgesRead = (found.badgesRead ?? 0) + 1;
      app.canvas?.setDirty?.(true, true);
    },
  };
}

const DIALOG = "[role=dialog], .p-dialog";
// PrimeVue's, in which 1.27.10 tells an error of a node, too. Later versions (1.49.6) tell errors in the side panel.
const OVER_ALL = ".p-dialog-mask";
