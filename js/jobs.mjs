/** Single jobs: what an event changes, and what nodes name. No DOM. */

/** @import { Host, JobEvent, JobResponse, Row } from "./types.d.ts" */
/** @import { Bell } from "./notify.mjs" */
/** @import { News } from "./news.mjs" */
/** @import { Panel } from "./panel.mjs" */
/** @import { Store } from "./store.mjs" */

import { Recent } from "./recent.mjs";

const MOST = 500; // jobs that are remembered for badges

/** Jobs that nodes name, for their badges, which are read again once a job is there. */
export class NamedJobs {
  #host;
  #store;
  /** @type {Recent<string, Row | null>} null where there is none (yet) */
  #rows = new Recent(MOST);

  /**
   * @param {Pick<Host, "get" | "refreshBadges">} host
   * @param {Pick<Store, "row">} store
   */
  constructor(host, store) {
    this.#host = host;
    this.#store = store;
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
    if (this.#store.row(id)) return this.#store.row(id);
    if (!this.#rows.has(id) && /^[0-9a-z]{10}$/.test(id)) {
      this.#rows.set(id, null);
      this.#read(id).catch(() => {}); // there is no such job
    }
    return this.#rows.get(id);
  }

  /** @param {string} id */
  async #read(id) {
    /** @type {JobResponse} */
    const { job } = await this.#host.get(`/sora/history/${id}`);
    this.#rows.set(id, job);
    this.#host.refreshBadges();
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
