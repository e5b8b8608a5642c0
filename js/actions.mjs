/** What can be done with a job, as buttons. None of them buys. */

/** @import { Action, AgainResponse, Attributes, Canvas, Child, GraphNode, Host, JobResponse, Navigation, Row } from "./types.d.ts" */

import { addAgain, addFrames, addJob, addRemix } from "./add.mjs";
import { button, el } from "./dom.mjs";
import { modelOf } from "./models.mjs";
import { errorOf, stateOf } from "./row.mjs";
import { t } from "./words.mjs";

/**
 * "Same again, new take": also from the toast of a job that failed.
 *
 * @param {Row} row
 * @param {Host} host
 */
export async function again(row, host) {
  /** @type {AgainResponse} */
  const response = await host.post(`/sora/history/${row.id}/again`);
  addAgain(host.canvas(), host.create, row, host.models(), response);
  host.toast(t("nothing_bought"));
}

/**
 * The same by the nearest model that lives.
 *
 * @param {Row} row
 * @param {Host} host
 */
export async function withNearest(row, host) {
  const choice = await host.nearest(row.model, row.seconds, row.size, row.provider);
  if (choice.model) await again({ ...row, ...choice }, host);
  else host.toast(t("no_nearest", { model: row.model }), "warn");
}

/**
 * Ask the provider about a job that failed, or is stale: free of charge, and some say "failed" once and go on.
 *
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
async function askAgain(row, host, view) {
  /** @type {JobResponse} */
  const { job } = await host.post(`/sora/history/${row.id}/ask`);
  view.changed(job);
  if (job.state === "failed") host.toast(t("asked_failed", { why: errorOf(job) }), "warn");
  else if (job.state === "stale") host.toast(t("asked_stale"));
  else if (row.state === "stale") host.toast(t("asked", { state: stateOf(job, host.now()) }));
  else host.toast(t("asked_goes_on", { state: stateOf(job, host.now()) }));
}

/**
 * Take a job out of the line.
 *
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
async function cancel(row, host, view) {
  if (!(await host.confirm(t("ask_cancel")))) return;
  /** @type {JobResponse} */
  const { job } = await host.post(`/sora/history/${row.id}/cancel`);
  view.changed(job);
}

/**
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 * @param {string} aside
 */
async function setAside(row, host, view, aside) {
  if (aside === "forgotten" && !(await host.confirm(t("ask_forget")))) return;
  /** @type {JobResponse} */
  const { job } = await host.post(`/sora/history/${row.id}/aside`, { aside });
  view.changed(job);
}

/**
 * @param {NonNullable<Row["file"]>} file
 * @param {Host} host
 */
const download = (file, host) =>
  el(
    "a",
    { class: "sora-button", href: host.file(file), download: file.filename, "data-key": "download" },
    el("i", { class: "pi pi-download", "aria-hidden": "true" }),
    el("span", { text: t("download") }),
  );

/**
 * The buttons for a row: what the server says may be done with it. (To reconcile it takes more than a button.)
 *
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
export function actionsOf(row, host, view) {
  /**
   * @param {string} icon
   * @param {string} key
   * @param {() => unknown} run
   * @param {Attributes | false} [more]
   */
  const act = (icon, key, run, more) => button(icon, t(key), () => host.attempt(run), { "data-key": key, ...more });
  /**
   * @template {GraphNode | GraphNode[] | undefined} Added
   * @param {(canvas: Canvas, create: Host["create"], row: Row) => Added} add
   */
  const added = (add) => async () => {
    const node = add(host.canvas(), host.create, row);
    host.toast(t("nothing_bought"));
    return node;
  };
  const without = modelOf(host.models(), row.model)?.remix === false;
  const remix = async () => {
    const node = await added(addRemix)();
    if (node) host.focusPrompt(node);
  };
  /** @type {Record<Exclude<Action, "reconcile">, () => Child>} */
  const buttons = {
    frames: () => act("images", "load_frames", added(addFrames)),
    open: () => act("plus", "add", added(addJob)),
    remix: () =>
      act("pencil", "remix", remix, without && { disabled: true, title: t("no_remix", { model: row.model }) }),
    nearest: () => act("arrow-right-arrow-left", "pick_nearest", () => withNearest(row, host)),
    ask: () => act("refresh", "ask", () => askAgain(row, host, view), { title: t("ask_why") }),
    again: () => act("replay", "again", () => again(row, host)),
    unwatch: () => act("eye-slash", "unwatch", () => setAside(row, host, view, "unwatched")),
    watch: () => act("eye", "watch", () => setAside(row, host, view, "")),
    cancel: () => act("times", "cancel", () => cancel(row, host, view)),
    restore: () => act("undo", "show", () => setAside(row, host, view, "")),
    archive: () => act("trash", "forget", () => setAside(row, host, view, "forgotten")),
  };
  const offered = row.actions.map((name) => name !== "reconcile" && buttons[name]());
  return [row.file && download(row.file, host), ...offered];
}
