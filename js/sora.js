/** What the page gets from this pack: the jobs in a tab, nodes that know the models, and commands. Nothing here buys. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addBadge, memoryText, priceText, remixText } from "./badges.mjs";
import { button } from "./dom.mjs";
import { graphsOf, nodesOf, widgetOf } from "./graphs.mjs";
import { TAB, makeHost } from "./host.mjs";
import { News } from "./news.mjs";
import { attach } from "./node.mjs";
import { Bell } from "./notify.mjs";
import { fillIn } from "./prefix.mjs";
import { attachPreview } from "./preview.mjs";
import { Quotes } from "./quotes.mjs";
import { inTrouble } from "./row.mjs";
import { Store } from "./store.mjs";
import { TITLE, say, sayRefreshed, speak, spoken } from "./words.mjs";

const looks = new WeakMap(); // node -> what looks at it again
const LOOK_MS = 10_000;
let models = [];
let blocked = ""; // the name by which the page was opened, where the server does not take it

const host = {
  ...makeHost(app, api, async (name, language) => {
    blocked = name;
    if (name) {
      await use({ language });
      host.tell("error", say("host_blocked", { host: name }));
    }
    host.stir();
  }),
  models: () => models,
  nearest: (model, seconds, size, provider) =>
    host.get(`/sora/models/nearest?${new URLSearchParams({ model, seconds, size, provider })}`),
  spoken: (settings) => use(settings),
  bell: new Bell(
    async (id) => (await host.get(`/sora/history/${id}`)).job,
    (id) => show((there) => there.open(id)),
  ),
};
const store = new Store(host.get);
const quotes = new Quotes((wanted) => host.post("/sora/quote", wanted), host.stir);
let panel; // once the tab was opened
let provider; // that a new CreateSoraJob names: another one than the page read once a key was stored

/** The tab with all that is in it, read at its first use: most pages are opened for something else. */
async function tab() {
  const { Panel } = await import("./panel.mjs");
  panel ??= new Panel(store, host);
  return panel;
}

/** Open the tab, and something in it. */
async function show(what) {
  host.openTab();
  const there = await tab();
  there.whenShown(() => what(there));
}

const openSettings = () => show((there) => there.settings());

/** The host's dialog lies over the tab, and goes as it does for everyone. */
function settingsFromDialog({ currentTarget }) {
  currentTarget.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", code: "Escape", bubbles: true }));
  return openSettings();
}

/** Some versions tell an error in such a dialog, too. */
const settingsFromToast = () =>
  document.querySelector(".p-dialog-mask") ? settingsFromDialog({ currentTarget: document.body }) : openSettings();

const opens = { icon: "arrow-right", key: "open_job", run: (row) => show((there) => there.open(row.id)) };
const acts = (name) => (row) => host.attempt(async () => (await import("./actions.mjs"))[name](row, host));
const cures = {
  "": opens,
  settle: opens,
  nearest: { icon: "arrow-right-arrow-left", key: "pick_nearest", run: acts("withNearest") },
  settings: { icon: "cog", key: "open_settings", run: settingsFromToast },
  take: { icon: "replay", key: "again", run: acts("again") },
};
// Errors before there is a job: the host's own dialog tells them, and has no button that helps.
const CURED = { MissingKey: "settings", BudgetReached: "settings" };
let alerts;

async function alert(row) {
  const { Alerts } = await import("./alert.mjs");
  alerts ??= new Alerts(cures);
  alerts.show(row);
}

const news = new News(host.get, (row) => {
  host.bell.tell(row);
  return alert(row);
});

function tellError({ detail }) {
  const cure = CURED[String(detail.exception_type).split(".").at(-1)];
  if (!cure) return;
  const prompt = window.LiteGraph.registered_node_types[detail.node_type]?.title ?? detail.node_type;
  alert({ id: `node ${detail.node_id}`, state: "not_sent", prompt, error: detail.exception_message.trim(), cure });
}

const rows = new Map(); // jobs that nodes name -> row, or null where there is none (yet)

/** A job that a node names, for a badge, which is asked for again once it was read. */
function rowOf(id) {
  if (store.row(id)) return store.row(id);
  if (!rows.has(id) && /^[0-9a-z]{10}$/.test(id)) {
    rows.set(id, null);
    const keep = ({ job }) => rows.set(id, job) && host.stir();
    host.get(`/sora/history/${id}`).then(keep, () => {}); // there is no such job
  }
  return rows.get(id);
}

const named = () => ({ title: say("tab"), tooltip: say("tip") });

/** What was read of the settings; another language is spoken at once. */
async function use({ language, default_provider: now }) {
  provider = now ?? provider;
  if (language === spoken()) return;
  await speak(language);
  Object.assign(host.tab(), named());
  panel?.rebuild();
  host.stir();
}

/** Read the catalogue. Without it the combos stay as the host made them; the backend checks all the same. */
async function load() {
  models = (await host.get("/sora/models")).models;
  for (const graph of graphsOf(app)) for (const node of nodesOf(graph)) looks.get(node)?.();
  quotes.renew();
}

const refresh = () =>
  host.attempt(async () => {
    const told = await host.post("/sora/models/refresh");
    await load();
    host.toast("success", sayRefreshed(told));
  });

async function convert() {
  const { convertAll } = await import("./convert.mjs");
  app.canvas.emitBeforeChange(); // so that one undo takes all of it back
  try {
    const { count, lost } = convertAll(graphsOf(app), host.create);
    host.toast("info", count ? say("converted", { count }) : say("nothing"));
    if (lost) host.toast("warn", say("lost_links", { count: lost }));
  } finally {
    app.canvas.emitAfterChange();
  }
}

/** The tab's icon carries the number of running jobs. */
function count() {
  const [tab, running] = [host.tab(), store.running ? String(store.running) : null];
  if (tab.iconBadge !== running) tab.iconBadge = running;
}

/** Read again what no event told: jobs of other processes send none, nor does a server that was away. */
function look(back = false) {
  news.ask();
  const reading = panel?.shown ? panel.look(back) : store.count();
  reading.catch(() => {}); // the next look may find the server again
}

let away = false; // the socket is closed, and no event comes; some pages never open it again

/** The server was away, or another one is there now. */
function reconnected() {
  away = false;
  look(true);
  readSettings();
  quotes.renew();
}

const last = new Map(); // job -> number of its last event

/** An event says how a job stands, and nothing of what it is: others can hear it. The rest is asked for. */
async function heard({ job, was }) {
  if (inTrouble(job)) news.ask();
  host.bell.hear(job, was);
  const number = (last.get(job.id) ?? 0) + 1;
  last.set(job.id, number);
  const known = panel?.shown ? store.row(job.id) : undefined;
  if (known && known.state === job.state && known.aside === job.aside) return panel.take({ ...known, ...job }, was);
  store.hear(job, was);
  if (!panel?.shown) return;
  const told = await host.get(`/sora/history/${job.id}`).catch(() => null); // the next look may find it
  if (told && panel.shown && last.get(job.id) === number) panel.take(told.job, was);
}

async function readSettings() {
  await use(await host.get("/sora/settings").catch(() => ({ language: spoken() })));
  panel?.refreshSettings();
}

/** Listen to the server, and read what there is. */
function begin() {
  const sheet = document.createElement("link");
  Object.assign(sheet, { rel: "stylesheet", href: new URL("./sora.css", import.meta.url).href });
  document.head.append(sheet);
  app.extensionManager.registerSidebarTab({
    id: TAB,
    icon: "pi pi-video",
    iconBadge: null,
    ...named(),
    type: "custom",
    render: async (element) => (await tab()).mount(element),
    destroy: () => panel?.unmount(),
  });
  store.watch(count);
  api.addEventListener("sora.job", ({ detail }) => heard(detail));
  api.addEventListener("reconnecting", () => (away = true));
  api.addEventListener("reconnected", reconnected);
  api.addEventListener("execution_error", tellError);
  window.addEventListener("focus", () => look());
  window.addEventListener("focus", () => quotes.renew()); // an owner may have written another price into a file
  setInterval(() => (store.running || news.owed || away) && !document.hidden && look(), LOOK_MS);
  api.addEventListener("sora.settings", readSettings);
  const first = readSettings().then(() => news.ask()); // what came before this page listened
  return Promise.allSettled([load(), first, store.count()]);
}

const commands = [
  { id: "sora-jobs.refresh", label: () => say("refresh"), icon: "pi pi-refresh", function: refresh },
  { id: "sora-jobs.convert", label: () => say("convert"), icon: "pi pi-arrow-right-arrow-left", function: convert },
  { id: "sora-jobs.settings", label: () => say("show_settings"), icon: "pi pi-cog", function: openSettings },
];

app.registerExtension({
  name: "sora-jobs",
  commands,
  menuCommands: [{ path: ["Extensions", TITLE], commands: commands.map(({ id }) => id) }],
  settings: [
    {
      id: "sora-jobs.settings",
      name: TITLE,
      tooltip: say("settings_why"),
      defaultValue: "",
      type: () => button("cog", say("open_settings"), settingsFromDialog),
    },
  ],
  setup: begin,
  refreshComboInNodes: () => load().catch(() => {}), // the host has just put its own lists in again
  nodeCreated(node) {
    if (node.comfyClass === "CreateSoraJob") {
      const widget = provider && widgetOf(node, "provider");
      if (widget) widget.value = provider; // a node that is loaded or copied gets its own value after this
      looks.set(node, attach(node, host));
      addBadge(node, window.LGraphBadge, () => priceText(node, models, quotes), host.stirred);
      attachPreview(node, host);
    } else if (node.comfyClass === "Remix") {
      addBadge(node, window.LGraphBadge, () => remixText(node, quotes), host.stirred);
    } else if (node.comfyClass === "WaitForVideo") {
      fillIn(node, host);
    } else if (node.comfyClass === "LoadVideoFrames") {
      addBadge(node, window.LGraphBadge, () => memoryText(node, rowOf), host.stirred);
    } else if (node.comfyClass === "SoraOpenJob") {
      // The host fills its list, and shows an empty one where it may not be read.
      addBadge(node, window.LGraphBadge, () => (blocked ? say("list_blocked", { host: blocked }) : ""), host.stirred);
    }
  },
});
