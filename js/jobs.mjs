/** Single jobs: what an event changes, and what nodes name. No DOM. */

/** @import { Brief, GraphNode, Host, JobEvent, JobResponse, Places, Row } from "./types.d.ts" */
/** @import { Bell } from "./notify.mjs" */
/** @import { News } from "./news.mjs" */
/** @import { Panel } from "./panel.mjs" */
/** @import { Store } from "./store.mjs" */

import { hook } from "./graphs.mjs";
import { Recent } from "./recent.mjs";
import { lineOf } from "./row.mjs";

const MOST = 500; // jobs that are remembered for badges

/** Jobs that nodes name or bought, for their badges, which are read again once a job is there or moved up in the line. */
export class NamedJobs {
  #host;
  /** @type {Recent<string, Row | null>} null where there is none (yet) */
  #rows = new Recent(MOST);
  /** @type {WeakMap<GraphNode, string>} node -> the job that it bought last */
  #bought = new WeakMap();
  /** @type {Places} as they were used last */
  #places = {};

  /** @param {Pick<Host, "get" | "refreshBadges">} host */
  constructor(host) {
    this.#host = host;
  }

  /** How many are remembered. */
  get size() {
    return this.#rows.size;
  }

  /**
   * The row of a job, as far as it was read.
   *
   * @param {string} id
   */
  of(id) {
    if (!this.#rows.has(id) && /^[0-9a-z]{10}$/.test(id)) {
      this.#rows.set(id, null);
      this.#read(id);
    }
    return this.#rows.get(id);
  }

  /**
   * Remember from now on what a node buys.
   *
   * @param {GraphNode} node
   */
  watch(node) {
    hook(node, "onExecuted", (/** @type {{ sora_job?: string[] } | undefined} */ output) => {
      const id = output?.sora_job?.[0];
      if (!id) return;
      this.#bought.set(node, id);
      this.#host.refreshBadges();
    });
  }

  /**
   * The job that a node bought last, as far as it was read.
   *
   * @param {GraphNode} node
   */
  boughtBy(node) {
    return this.of(this.#bought.get(node) ?? "");
  }

  /**
   * An event: its job stands otherwise than it was read.
   *
   * @param {Brief} job
   */
  onJobEvent(job) {
    const row = this.#rows.get(job.id);
    if (row) this.#use(job.id, { ...row, ...job });
    else if (row === null) this.#read(job.id);
  }

  /**
   * The line was read again. A queued job that is not in it has left it unheard.
   *
   * @param {Places} places
   */
  usePlaces(places) {
    if (places === this.#places) return;
    this.#places = places;
    for (const [id, row] of [...this.#rows]) {
      if (row?.state !== "queued" || row.place === places[id]) continue;
      if (id in places) this.#use(id, { ...row, place: places[id] });
      else this.#read(id);
    }
  }

  /** @param {string} id */
  async #read(id) {
    /** @type {JobResponse | null} */
    const response = await this.#host.get(`/sora/history/${id}`).catch(() => null); // there is no such job
    if (response) this.#use(id, response.job);
  }

  /**
   * @param {string} id
   * @param {Row} row
   */
  #use(id, row) {
    const before = this.#rows.get(id);
    this.#rows.set(id, row);
    if (!before || lineOf(before) !== lineOf(row)) this.#host.refreshBadges();
  }
}

/** What the page does with the server's events. One says how a job is doing, and nothing of what it is, since others
 * can hear it: the rest is read. */
export class JobEvents {
  #host;
  #store;
  #news;
  #bell;
  #panel;
  /** @type {Map<string, object>} job -> the read that its latest event began, while it goes on */
  #reads = new Map();

  /**
   * @param {Pick<Host, "get">} host
   * @param {Store} store
   * @param {Pick<News, "poll">} news
   * @param {Pick<Bell, "onJobEvent">} bell
   * @param {() => Pick<Panel, "shown" | "update"> | undefined} panel
   */
  constructor(host, store, news, bell, panel) {
    this.#host = host;
    this.#store = store;
    this.#news = news;
    this.#bell = bell;
    this.#panel = panel;
  }

  /** How many jobs are being read. */
  get size() {
    return this.#reads.size;
  }

  /** @param {JobEvent} event */
  async onJobEvent({ job, was, was_running: wasRunning }) {
    if (job.in_trouble) this.#news.poll();
    this.#bell.onJobEvent(job, was, wasRunning);
    this.#reads.delete(job.id); // what it brings is older than this event
    const panel = this.#panel();
    const known = panel?.shown ? this.#store.row(job.id) : undefined;
    if (known && known.state === job.state && known.aside === job.aside)
      return panel?.update({ ...known, ...job }, was, wasRunning);
    this.#store.onJobEvent(job, was, wasRunning);
    if (job.state !== "queued" && (known?.state ?? was) === "queued") this.#store.line.moveUp();
    if (!panel?.shown) return undefined;
    const read = {};
    this.#reads.set(job.id, read);
    /** @type {JobResponse | null} */
    const response = await this.#host.get(`/sora/history/${job.id}`).catch(() => null); // the next look may find it
    if (this.#reads.get(job.id) !== read) return undefined;
    this.#reads.delete(job.id);
    return response && panel.shown ? panel.update(response.job, was, wasRunning) : undefined;
  }
}
