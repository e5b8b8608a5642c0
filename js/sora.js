/** What the page gets from this pack: the jobs in a tab, nodes that know the models, and commands. Nothing here buys. */

/** @import { Alerted, Cure, ExecutionError, JobResponse, Model, ModelsResponse, Row } from "./types.d.ts" */
/** @import { RefreshResponse, SettingsResponse } from "./types.d.ts" */
/** @import { Alerts } from "./alert.mjs" */
/** @import { Panel } from "./panel.mjs" */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { lineText, memoryText, openedBy, priceText, remixText } from "./badges.mjs";
import { button } from "./dom.mjs";
import { nodesOf, widgetOf } from "./graphs.mjs";
import { TAB, makeHost } from "./host.mjs";
import { JobEvents, NamedJobs } from "./jobs.mjs";
import { chosenLanguage, languageOf } from "./language.mjs";
import { News } from "./news.mjs";
import { attach } from "./node.mjs";
import { Bell } from "./notify.mjs";
import { fillIn } from "./prefix.mjs";
import { LOOK_MS, Previews } from "./preview.mjs";
import { Quotes } from "./quotes.mjs";
import { Store } from "./store.mjs";
import { TITLE, currentLanguage, refreshedText, setLanguage, t } from "./words.mjs";

const REFRESH_MS = 10_000;
/** @type {WeakMap<object, () => void>} node -> what looks at it again */
const checks = new WeakMap();
/** @type {Model[]} */
let models = [];
let blocked = ""; // the name by which the page was opened, where the server does not take it
/** @type {Panel | undefined} once the tab was opened */
let panel;
/** @type {string | undefined} that a new CreateSoraJob names: another one than the page read once a key was stored */
let provider;

const host = makeHost(app, api, {
  models: () => models,
  useSettings,
  useLanguage,
  blocked: (name) => {
    blocked = name;
    if (name) host.toastOnce(t("host_blocked", { host: name }), "error");
    host.refreshBadges();
  },
});
const store = new Store(host.get);
const quotes = new Quotes((wanted) => host.post("/sora/quote", wanted), host.refreshBadges);
const named = new NamedJobs(host);
const previews = new Previews(host);
const bell = new Bell(readJob, (id) => show((tab) => tab.open(id)), host.now);
const news = new News(host.get, (row) => {
  bell.notify(row);
  return alert(row);
});
const events = new JobEvents(host, store, news, bell, () => panel);

/** @param {string} id */
async function readJob(id) {
  /** @type {JobResponse} */
  const { job } = await host.get(`/sora/history/${id}`);
  return job;
}

/** The tab with all that is in it, read at its first use: most pages are opened for something else. */
async function openedPanel() {
  const { Panel } = await import("./panel.mjs");
  panel ??= new Panel(store, host, bell);
  return panel;
}

/**
 * Open the tab, and something in it.
 *
 * @param {(tab: Panel) => unknown} what
 */
async function show(what) {
  host.openTab();
  const tab = await openedPanel();
  tab.whenShown(() => what(tab));
}

const openSettings = () => show((tab) => tab.settings());

/** From the toast of a node: the host may tell its error in a dialog over the tab, too. */
function openSettingsFromToast() {
  host.closeDialog();
  return openSettings();
}

/** In the host's own settings, which are a dialog over the tab. */
function makeSettingsButton() {
  /** @type {HTMLButtonElement} */
  const made = button("cog", t("open_settings"), () => {
    host.closeDialog(made);
    return openSettings();
  });
  return made;
}

/** @type {Cure} */
const opens = { icon: "arrow-right", key: "open_job", run: (row) => show((tab) => tab.open(row.id)) };
/**
 * What `actions.mjs` does with a job.
 *
 * @param {"again" | "withNearest"} name
 * @returns {Cure["run"]}
 */
const acts = (name) => (row) =>
  host.attempt(async () => (await import("./actions.mjs"))[name](/** @type {Row} */ (row), host));
/** @type {{ [cure: string]: Cure, "": Cure }} */
const cures = {
  "": opens,
  reconcile: opens,
  nearest: { icon: "arrow-right-arrow-left", key: "pick_nearest", run: acts("withNearest") },
  settings: { icon: "cog", key: "open_settings", run: openSettingsFromToast },
  take: { icon: "replay", key: "again", run: acts("again") },
};
/**
 * Errors before there is a job: the host's own dialog tells them, and has no button that helps.
 *
 * @type {Record<string, string | undefined>}
 */
const CURED = { MissingKeyError: "settings", BudgetExceededError: "settings" };
/** @type {Alerts | undefined} */
let alerts;

/** @param {Alerted} row */
async function alert(row) {
  const { Alerts } = await import("./alert.mjs");
  alerts ??= new Alerts(cures);
  alerts.show(row);
}

/** @param {CustomEvent<ExecutionError>} event */
function alertOfNode({ detail }) {
  const cure = CURED[String(detail.exception_type).split(".").at(-1) ?? ""];
  if (!cure) return;
  const prompt = window.LiteGraph.registered_node_types[detail.node_type]?.title ?? detail.node_type;
  alert({ id: `node ${detail.node_id}`, state: "not_sent", prompt, error: detail.exception_message.trim(), cure });
}

/**
 * What was read of the settings.
 *
 * @param {Pick<SettingsResponse, "default_provider">} settings
 */
function useSettings({ default_provider: current }) {
  provider = current ?? provider;
}

/** Another language is used at once. */
async function useLanguage(locale = host.locale()) {
  const language = languageOf(chosenLanguage(), locale);
  if (language === currentLanguage()) return;
  await setLanguage(language);
  host.nameTab(t("tab"), t("tip"));
  panel?.rebuild();
  host.refreshBadges();
}

/** Read the catalogue. Without it the combos stay as the host made them; the backend checks all the same. */
async function loadModels() {
  /** @type {ModelsResponse} */
  const response = await host.get("/sora/models");
  models = response.models;
  for (const graph of host.graphs()) for (const node of nodesOf(graph)) checks.get(node)?.();
  quotes.renew();
}

const refreshModels = () =>
  host.attempt(async () => {
    /** @type {RefreshResponse} */
    const brought = await host.post("/sora/models/refresh");
    await loadModels();
    host.toast(refreshedText(brought), "success");
  });

async function convert() {
  const { convertAll } = await import("./convert.mjs");
  const canvas = host.canvas();
  canvas.emitBeforeChange?.(); // so that one undo takes all of it back
  try {
    const { count, lost } = convertAll(host.graphs(), host.create);
    host.toast(count ? t("converted", { count }) : t("nothing"));
    if (lost) host.toast(t("lost_links", { count: lost }), "warn");
  } finally {
    canvas.emitAfterChange?.();
  }
}

/** Read again what no event told: jobs of other processes send none, nor does a server that was away. */
function refresh(back = false) {
  news.poll();
  const reading = panel?.shown ? panel.refresh(back) : store.count();
  reading.catch(() => {}); // the next refresh may find the server again
}

let away = false; // the socket is closed, and no event comes; some pages never open it again

/** The server was away, or another one is there now. */
function onReconnected() {
  away = false;
  refresh(true);
  readSettings();
  quotes.renew();
}

async function readSettings() {
  /** @type {Pick<SettingsResponse, "default_provider">} */
  const settings = await host.get("/sora/settings").catch(() => ({}));
  useSettings(settings);
  panel?.refreshSettings();
}

/** Listen to the server, and read what there is. */
async function begin() {
  await useLanguage().catch(() => {}); // it stays English
  host.onLocale(useLanguage);
  const sheet = document.createElement("link");
  Object.assign(sheet, { rel: "stylesheet", href: new URL("./sora.css", import.meta.url).href });
  document.head.append(sheet);
  app.extensionManager.registerSidebarTab({
    id: TAB,
    icon: "pi pi-video",
    iconBadge: null,
    title: t("tab"),
    tooltip: t("tip"),
    type: "custom",
    render: async (element) => (await openedPanel()).mount(element),
    destroy: () => panel?.unmount(),
  });
  store.watch(() => {
    host.countTab(store.running);
    named.usePlaces(store.line.places);
  });
  api.addEventListener("sora.job", ({ detail }) => {
    named.onJobEvent(detail.job);
    events.onJobEvent(detail);
  });
  api.addEventListener("reconnecting", () => (away = true));
  api.addEventListener("reconnected", onReconnected);
  api.addEventListener("execution_error", alertOfNode);
  window.addEventListener("focus", () => refresh());
  window.addEventListener("focus", () => quotes.renew()); // an owner may have written another price into a file
  setInterval(() => (store.running || news.pending || away) && !document.hidden && refresh(), REFRESH_MS);
  setInterval(() => document.hidden || previews.update(), LOOK_MS);
  api.addEventListener("sora.settings", readSettings);
  const first = readSettings().then(() => news.poll()); // what came before this page listened
  return Promise.allSettled([loadModels(), first, store.count()]);
}

const commands = [
  { id: "sora-jobs.refresh", label: () => t("refresh"), icon: "pi pi-refresh", function: refreshModels },
  { id: "sora-jobs.convert", label: () => t("convert"), icon: "pi pi-arrow-right-arrow-left", function: convert },
  { id: "sora-jobs.settings", label: () => t("show_settings"), icon: "pi pi-cog", function: openSettings },
];

app.registerExtension({
  name: "sora-jobs",
  commands,
  menuCommands: [{ path: ["Extensions", TITLE], commands: commands.map(({ id }) => id) }],
  settings: [
    {
      id: "sora-jobs.settings",
      name: TITLE,
      get tooltip() {
        return t("settings_why"); // when it is shown: the language is not known before the page is there
      },
      defaultValue: "",
      type: makeSettingsButton,
    },
  ],
  setup: begin,
  refreshComboInNodes: () => loadModels().catch(() => {}), // the host has just put its own lists in again
  nodeCreated(node) {
    if (node.comfyClass === "CreateSoraJob") {
      const widget = provider && widgetOf(node, "provider");
      if (widget) widget.value = provider; // a node that is loaded or copied gets its own value after this
      checks.set(node, attach(node, host));
      host.addBadge(node, () => lineText(named.boughtBy(node), priceText(node, models, quotes)));
      named.watch(node);
      previews.attach(node);
    } else if (node.comfyClass === "Remix") {
      host.addBadge(node, () => lineText(named.boughtBy(node), remixText(node, quotes)));
      named.watch(node);
    } else if (node.comfyClass === "WaitForVideo") {
      fillIn(node, host);
    } else if (node.comfyClass === "LoadVideoFrames") {
      host.addBadge(node, () => memoryText(node, (id) => named.of(id)));
    } else if (node.comfyClass === "SoraOpenJob") {
      // The host fills its list, and shows an empty one where it may not be read.
      host.addBadge(node, () => (blocked ? t("list_blocked", { host: blocked }) : lineText(named.of(openedBy(node)))));
    }
  },
});
