/** What can be done with a job, as buttons. None of them buys. */

/** @import { AgainResponse, Attributes, Canvas, GraphNode, Host, JobResponse, Navigation, Row } from "./types.d.ts" */

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
 * Ask the provider about a job that failed: free of charge, and some say "failed" once and go on.
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
  else host.toast(t("asked_goes_on", { state: stateOf(job, host.now()) }));
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
 * The buttons for a row.
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
  const there = ["stored", "completed"].includes(row.state);
  const over = ["stored", "failed", "refused", "lost", "lapsed"].includes(row.state); // the ledger's own rule
  const without = modelOf(host.models(), row.model)?.remix === false;
  const remix = async () => {
    const node = await added(addRemix)();
    if (node) host.focusPrompt(node);
  };
  const named = row.video_id || row.state !== "refused";
  return [
    row.file && download(row.file, host),
    there && act("images", "load_frames", added(addFrames)),
    named && act("plus", "add", added(addJob)),
    there && act("pencil", "remix", remix, without && { disabled: true, title: t("no_remix", { model: row.model }) }),
    row.cure === "nearest" && act("arrow-right-arrow-left", "pick_nearest", () => withNearest(row, host)),
    row.state === "failed" &&
      row.video_id &&
      act("refresh", "ask", () => askAgain(row, host, view), { title: t("ask_why") }),
    row.kind !== "opened" && act("replay", "again", () => again(row, host)),
    row.running && !row.aside && act("eye-slash", "unwatch", () => setAside(row, host, view, "unwatched")),
    row.aside === "unwatched" && act("eye", "watch", () => setAside(row, host, view, "")),
    row.aside === "forgotten" && act("undo", "show", () => setAside(row, host, view, "")),
    !row.aside && over && act("trash", "forget", () => setAside(row, host, view, "forgotten")),
  ];
}
