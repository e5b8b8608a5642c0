/** One job in full: its video, what is known of it, where it comes from, and what can be done with it. */

import { actionsOf } from "./actions.mjs";
import { makeBar } from "./bar.mjs";
import { makeThumbnail } from "./card.mjs";
import { diff } from "./diff.mjs";
import { button, el, refill, write } from "./dom.mjs";
import { bytes, dollars, moment, span } from "./figures.mjs";
import { makeProject } from "./project.mjs";
import { priceOf, promptOf, stateOf, troubleOf } from "./row.mjs";
import { makeSettle } from "./settle.mjs";
import { say } from "./words.mjs";

const cell = (name, value) =>
  value !== "" && value != null && [el("dt", { text: say(name) }), el("dd", { text: value })];

function facts(row) {
  const extra = Object.keys(row.extra_fields ?? {}).length ? JSON.stringify(row.extra_fields) : "";
  return el(
    "dl",
    {},
    cell("model", row.model),
    cell("length", row.seconds && span(Number(row.seconds))),
    cell("size", row.size),
    cell("provider", row.provider),
    cell("take", row.take),
    cell("cost", priceOf(row)),
    cell("charged", row.charged_usd == null ? "" : dollars(row.charged_usd)),
    cell("created", moment(row.created_at)),
    cell("file_size", row.file && row.bytes ? bytes(row.bytes) : ""),
    cell("references", row.references || ""),
    cell("extra_fields", extra),
    cell("job_id", row.id),
    cell("gateway_id", row.video_id),
  );
}

/** The words of two prompts in one text, with what went and what came marked as such. */
function changes(before, after) {
  const tags = { " ": "span", "-": "del", "+": "ins" };
  return el(
    "p",
    { class: "sora-diff" },
    diff(before, after).map(([sign, text]) => el(tags[sign], { text })),
  );
}

function relative(row, host) {
  const thumbnail = makeThumbnail(host.url);
  thumbnail.show(row);
  const words = el("span", { class: "sora-lines" }, el("span", { class: "sora-prompt", text: promptOf(row) }));
  const name = `${say("open_job")}: ${promptOf(row)}`;
  return el(
    "button",
    { type: "button", class: "sora-card", "aria-label": name, onclick: () => host.open(row.id) },
    thumbnail.element,
    words,
  );
}

/** A remix's parent and what was changed in its prompt; then the remixes of it, each with its changes. */
function tree({ job, parent, children }, host) {
  const heading = (text) => el("h3", { text });
  const above = parent
    ? [heading(say("remix_of")), relative(parent, host), heading(say("changed")), changes(parent.prompt, job.prompt)]
    : [job.kind === "remix" && heading(say("remix_of_unknown", { id: job.parent }))];
  const below = children.flatMap((child) => [relative(child, host), changes(job.prompt, child.prompt)]);
  return el("section", {}, above, below.length ? [heading(say("remixes")), ...below] : []);
}

export class Detail {
  element;
  id;
  #host;
  #told;
  #shape = "";
  #playing = "";
  #parts;
  #bar = makeBar(say("submitted"));
  #project;

  /** `host` has `url`, `file(row)`, `open(id)`, `back()`, and what actionsOf and makeSettle need. */
  constructor(told, host) {
    [this.id, this.#host] = [told.job.id, host];
    this.#project = makeProject(this.id, host);
    const part = (tag, more) => el(tag, more);
    this.#parts = {
      video: part("div", { class: "sora-video" }),
      state: part("h2", { tabindex: -1 }),
      rest: part("div"),
    };
    const back = button("arrow-left", say("back"), () => host.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, this.#parts.state);
    const { video, rest } = this.#parts;
    this.element = el("div", { class: "sora-detail sora-scroll" }, top, this.#bar.element, video, rest);
    this.show(told);
  }

  /** All of it; what did not change stays as it is, so that a video plays on. */
  show(told) {
    this.#told = told;
    this.tick();
    this.#bar.show(told.job);
    const { progress, ...steady } = told.job;
    const shape = JSON.stringify([steady, told.parent, told.children]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#play(told.job);
    this.#project.show(told.job);
    refill(this.#parts.rest, this.#rest(told));
  }

  /** An event brought this job, or one of its relatives. */
  take(row) {
    const { job, parent, children } = this.#told;
    if (row.id === job.id) this.show({ ...this.#told, job: row });
    else if (row.id === parent?.id) this.show({ ...this.#told, parent: row });
    else if (children.some((one) => one.id === row.id))
      this.show({ ...this.#told, children: children.map((one) => (one.id === row.id ? row : one)) });
    else if (row.parent && row.parent === job.video_id) this.show({ ...this.#told, children: [row, ...children] });
  }

  tick() {
    write(this.#parts.state, stateOf(this.#told.job, Date.now() / 1000));
  }

  #play(row) {
    const address = row.file ? this.#host.file(row) : "";
    if (address === this.#playing && this.#parts.video.firstChild) return;
    this.#playing = address;
    const poster = this.#host.url(`/sora/history/${row.id}/thumbnail`);
    const player = {
      src: address,
      poster,
      controls: true,
      preload: "metadata",
      loop: true,
      "aria-label": promptOf(row),
    };
    this.#parts.video.hidden = !address && !row.running; // a running job's place is kept
    this.#parts.video.replaceChildren(
      address ? el("video", player) : el("i", { class: "pi pi-video", "aria-hidden": "true" }),
    );
  }

  #rest(told) {
    const { job } = told;
    const bad = troubleOf(job);
    return [
      bad && el("p", { class: "sora-trouble", text: bad }),
      job.state === "unknown" && makeSettle(job, this.#host),
      el("div", { class: "sora-actions", role: "group", "aria-label": say("actions") }, actionsOf(job, this.#host)),
      el("h3", { text: say("prompt") }),
      el("p", { class: "sora-text", text: promptOf(job) }),
      tree(told, this.#host),
      facts(job),
      el("h3", { text: say("project") }),
      this.#project.element,
    ];
  }
}
