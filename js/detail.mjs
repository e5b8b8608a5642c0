/** One job in full: its video, what is known of it, where it comes from, and what can be done with it. */

/** @import { Child, Host, Navigation, Places, Row, TreeResponse } from "./types.d.ts" */

import { actionsOf } from "./actions.mjs";
import { makeBar } from "./bar.mjs";
import { makeThumbnail } from "./card.mjs";
import { diff } from "./diff.mjs";
import { button, el, replaceChildren, setText } from "./dom.mjs";
import { bytes, dollars, moment, span } from "./figures.mjs";
import { makeProject } from "./project.mjs";
import { makeReconcile } from "./reconcile.mjs";
import { noteOf, priceOf, promptOf, stateOf, troubleOf } from "./row.mjs";
import { t } from "./words.mjs";

/**
 * @param {string} name
 * @param {string | number | null} value
 */
const cell = (name, value) => value !== "" && value != null && [el("dt", { text: t(name) }), el("dd", { text: value })];

/** @param {Row} row */
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

/** @type {{ " ": "span", "-": "del", "+": "ins" }} */
const TAGS = { " ": "span", "-": "del", "+": "ins" };

/**
 * The words of two prompts in one text, with what went and what came marked as such.
 *
 * @param {string} before
 * @param {string} after
 */
function changes(before, after) {
  return el(
    "p",
    { class: "sora-diff" },
    diff(before, after).map(([sign, text]) => el(TAGS[sign], { text })),
  );
}

/**
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
function relative(row, host, view) {
  const thumbnail = makeThumbnail(host.url);
  thumbnail.show(row);
  const words = el("span", { class: "sora-lines" }, el("span", { class: "sora-prompt", text: promptOf(row) }));
  const name = `${t("open_job")}: ${promptOf(row)}`;
  return el(
    "button",
    { type: "button", class: "sora-card", "aria-label": name, onclick: () => view.open(row.id) },
    thumbnail.element,
    words,
  );
}

/**
 * A remix's parent and what was changed in its prompt; then the remixes of it, each with its changes.
 *
 * @param {TreeResponse} response
 * @param {Host} host
 * @param {Navigation} view
 */
function tree({ job, parent, children }, host, view) {
  /** @param {string} text */
  const heading = (text) => el("h3", { text });
  const above = parent
    ? [heading(t("remix_of")), relative(parent, host, view), heading(t("changed")), changes(parent.prompt, job.prompt)]
    : [job.kind === "remix" && heading(t("remix_of_unknown", { id: job.parent }))];
  const below = children.flatMap((child) => [relative(child, host, view), changes(job.prompt, child.prompt)]);
  return el("section", {}, above, below.length ? [heading(t("remixes")), ...below] : []);
}

export class Detail {
  element;
  id;
  #host;
  #view;
  #told;
  #shape = ""; // what is shown of it, as JSON
  #playing = "";
  #parts;
  #bar = makeBar(t("submitted"));
  #project;

  /**
   * @param {TreeResponse} told
   * @param {Host} host
   * @param {Navigation} view
   */
  constructor(told, host, view) {
    this.id = told.job.id;
    this.#host = host;
    this.#view = view;
    this.#told = told;
    this.#project = makeProject(this.id, host, view);
    this.#parts = { video: el("div", { class: "sora-video" }), state: el("h2", { tabindex: -1 }), rest: el("div") };
    const back = button("arrow-left", t("back"), () => view.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, this.#parts.state);
    const { video, rest } = this.#parts;
    this.element = el("div", { class: "sora-detail sora-scroll" }, top, this.#bar.element, video, rest);
    this.show(told);
  }

  /**
   * All of it; what did not change stays as it is, so that a video plays on.
   *
   * @param {TreeResponse} told
   */
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
    replaceChildren(this.#parts.rest, this.#rest(told));
  }

  /**
   * An event brought this job, or one of its relatives.
   *
   * @param {Row} row
   */
  update(row) {
    const { job, parent, children } = this.#told;
    if (row.id === job.id) this.show({ ...this.#told, job: row });
    else if (row.id === parent?.id) this.show({ ...this.#told, parent: row });
    else if (children.some((one) => one.id === row.id))
      this.show({ ...this.#told, children: children.map((one) => (one.id === row.id ? row : one)) });
    else if (row.parent && row.parent === job.video_id) this.show({ ...this.#told, children: [row, ...children] });
  }

  /**
   * The line was read again.
   *
   * @param {Places} places
   */
  usePlaces(places) {
    const { job } = this.#told;
    const place = places[job.id];
    if (job.state === "queued" && place !== undefined && place !== job.place) this.update({ ...job, place });
  }

  tick() {
    setText(this.#parts.state, stateOf(this.#told.job, this.#host.now()));
  }

  /** @param {Row} row */
  #play(row) {
    const address = row.file ? this.#host.file(row.file) : "";
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
    this.#parts.video.hidden = !address && !row.is_running; // a running job's place is kept
    this.#parts.video.replaceChildren(
      address ? el("video", player) : el("i", { class: "pi pi-video", "aria-hidden": "true" }),
    );
  }

  /**
   * @param {TreeResponse} told
   * @returns {Child[]}
   */
  #rest(told) {
    const { job } = told;
    const [bad, note] = [troubleOf(job), noteOf(job)];
    return [
      bad && el("p", { class: "sora-trouble", text: bad }),
      note && el("p", { class: "sora-note", text: note }),
      job.actions.includes("reconcile") && makeReconcile(job, this.#host, this.#view),
      el(
        "div",
        { class: "sora-actions", role: "group", "aria-label": t("actions") },
        actionsOf(job, this.#host, this.#view),
      ),
      el("h3", { text: t("prompt") }),
      el("p", { class: "sora-text", text: promptOf(job) }),
      tree(told, this.#host, this.#view),
      facts(job),
      el("h3", { text: t("project") }),
      this.#project.element,
    ];
  }
}
