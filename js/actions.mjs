/** What can be done with a job, as buttons. None of them buys. */

import { addAgain, addFrames, addJob, addRemix } from "./add.mjs";
import { button, el } from "./dom.mjs";
import { rowOf } from "./models.mjs";
import { stateOf } from "./row.mjs";
import { say } from "./words.mjs";

/** "Same again, new take": also from the toast of a job that failed. */
export async function again(row, host) {
  addAgain(host.canvas(), host.create, row, host.models(), await host.post(`/sora/history/${row.id}/again`));
  host.say(say("nothing_bought"));
}

/** The same by the nearest model that lives. */
export async function withNearest(row, host) {
  const choice = await host.nearest(row.model, row.seconds, row.size, row.provider);
  if (choice.model) await again({ ...row, ...choice }, host);
  else host.say(say("no_nearest", { model: row.model }), "warn");
}

/** Ask the provider about a job that failed: free of charge, and some say "failed" once and go on. */
async function askAgain(row, host) {
  const { job } = await host.post(`/sora/history/${row.id}/ask`);
  host.changed(job);
  if (job.state === "failed") host.say(say("asked_failed", { why: job.error }), "warn");
  else host.say(say("asked_goes_on", { state: stateOf(job, Date.now() / 1000) }));
}

async function setAside(row, host, aside) {
  if (aside === "forgotten" && !(await host.confirm(say("ask_forget")))) return;
  host.changed((await host.post(`/sora/history/${row.id}/aside`, { aside })).job);
}

const download = (row, host) =>
  el(
    "a",
    { class: "sora-button", href: host.file(row), download: row.file.filename, "data-key": "download" },
    el("i", { class: "pi pi-download", "aria-hidden": "true" }),
    el("span", { text: say("download") }),
  );

/** The buttons for a row. `host` has canvas, create, models, nearest, post, confirm, file, say, changed(row), write(node). */
export function actionsOf(row, host) {
  const act = (icon, key, run, more) => button(icon, say(key), () => host.attempt(run), { "data-key": key, ...more });
  const added = (add) => async () => {
    const node = add(host.canvas(), host.create, row);
    host.say(say("nothing_bought"));
    return node;
  };
  const there = ["stored", "completed"].includes(row.state);
  const over = ["stored", "failed", "refused", "lost", "lapsed"].includes(row.state); // the ledger's own rule
  const without = rowOf(host.models(), row.model)?.remix === false;
  const remix = async () => host.write(await added(addRemix)());
  const named = row.video_id || row.state !== "refused";
  return [
    row.file && download(row, host),
    there && act("images", "load_frames", added(addFrames)),
    named && act("plus", "add", added(addJob)),
    there && act("pencil", "remix", remix, without && { disabled: true, title: say("no_remix", { model: row.model }) }),
    row.cure === "nearest" && act("arrow-right-arrow-left", "pick_nearest", () => withNearest(row, host)),
    row.state === "failed" &&
      row.video_id &&
      act("refresh", "ask", () => askAgain(row, host), { title: say("ask_why") }),
    row.kind !== "opened" && act("replay", "again", () => again(row, host)),
    row.running && !row.aside && act("eye-slash", "unwatch", () => setAside(row, host, "unwatched")),
    row.aside === "unwatched" && act("eye", "watch", () => setAside(row, host, "")),
    row.aside === "forgotten" && act("undo", "show", () => setAside(row, host, "")),
    !row.aside && over && act("trash", "forget", () => setAside(row, host, "forgotten")),
  ];
}
