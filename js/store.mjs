/** The jobs that the tab shows: pages of GET /sora/history, kept right by the server's events. No DOM. */

/** @import { Brief, Filter, JobResponse, PageResponse, Places, Row } from "./types.d.ts" */

import { messageOf } from "./host.mjs";
import { Line } from "./line.mjs";
import { Recent } from "./recent.mjs";
import { matches } from "./row.mjs";

const PAGE = 60;
const MOST = 20; // jobs that are read one by one in a refresh
const MOST_EVENTS = 500; // jobs whose last event is remembered

export class Store {
  /** @type {string[]} ledger ids, newest first, of all rows that were read so far */
  ids = [];
  /** There are older ones. */
  more = true;
  /** How many jobs are on their way, in the whole ledger. */
  running = 0;
  /** The queued jobs of the whole ledger. */
  line = new Line(() => this.count());
  /** @type {Filter} */
  filter = { state: "", search: "" };
  loading = false;
  error = "";
  /** @type {Map<string, Row>} of `ids` */
  #rows = new Map();
  #read;
  #round = 0; // responses to an earlier filter count no more
  #events = 0;
  /**
   * A job's last event: a response to an earlier request tells what was before it. Only the latest are of use, since
   * requests take seconds.
   *
   * @type {Recent<string, { job: Brief, at: number }>}
   */
  #latest = new Recent(MOST_EVENTS);
  /** @type {Set<(id?: string) => void>} */
  #watchers = new Set();

  /**
   * `read(path)` gives a route's response, or throws an error in plain words.
   *
   * @param {<T>(path: string) => Promise<T>} read
   */
  constructor(read) {
    this.#read = read;
  }

  /** How many jobs have an event that is remembered. */
  get events() {
    return this.#latest.size;
  }

  /** @param {string} id */
  row(id) {
    return this.#rows.get(id);
  }

  /**
   * Have `changed(id)` called with a row that changed, or without one when the list did. Returns what ends that.
   *
   * @param {(id?: string) => void} changed
   */
  watch(changed) {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** Begin anew with the first page, of another filter perhaps; the old rows stand until it is there. */
  async reset(filter = this.filter) {
    this.filter = filter;
    this.#round += 1;
    this.loading = false;
    await this.#page("", (jobs, since) => {
      this.#rows.clear();
      this.ids = [];
      this.#append(jobs, since);
    });
  }

  /** Read the next page, if there is one and nobody reads it yet. */
  async next() {
    if (this.more && !this.loading && !this.error)
      await this.#page(this.ids.at(-1) ?? "", (jobs, since) => this.#append(jobs, since));
  }

  /** What could not be read: try that again. */
  async again() {
    this.error = "";
    await (this.ids.length ? this.next() : this.reset());
  }

  /** Read the newest again: jobs of other processes send no events. */
  async refresh() {
    if (this.error) await this.again();
    const [round, since] = [this.#round, this.#events];
    /** @type {PageResponse} */
    const { jobs, more, running, places } = await this.#read(this.#path("", PAGE));
    if (round !== this.#round) return;
    this.#usePlaces(places, since);
    const there = new Set(jobs.map(({ id }) => id));
    if (more && this.ids.length && !this.ids.some((id) => there.has(id))) return this.reset(); // so many are new
    const left = this.#left(there, more ? jobs.at(-1) : undefined);
    for (const job of jobs) this.#put(this.#newest(job, since));
    this.#count(running, since);
    this.#tell();
    await Promise.all(left.map((id) => this.#readOne(id, round)));
  }

  /**
   * Those of the list that should be in a response with `there` that ends with `last`, and are not; and what runs.
   *
   * @param {Set<string>} there
   * @param {Row | undefined} last
   */
  #left(there, last) {
    /** @param {Row | undefined} row */
    const within = (row) => row && (!last || !isNewer(last, row) || row.is_running);
    return this.ids.filter((id) => !there.has(id) && within(this.#rows.get(id))).slice(0, MOST);
  }

  /**
   * Read one job of the list again.
   *
   * @param {string} id
   * @param {number} round
   */
  async #readOne(id, round) {
    const since = this.#events;
    /** @type {JobResponse | null} */
    const response = await this.#read(`/sora/history/${id}`).catch(() => null); // the next refresh may find it
    if (response && round === this.#round) this.#put(this.#newest(response.job, since));
  }

  /** Only how many are running, and the places of those that are queued. */
  async count() {
    const since = this.#events;
    /** @type {PageResponse} */
    const { running, places } = await this.#read("/sora/history?limit=1");
    this.#usePlaces(places, since);
    this.#count(running, since);
    this.#tell();
  }

  /**
   * A row that was written.
   *
   * @param {Row} row
   * @param {string} was the state that it had, "" for a new one
   * @param {boolean} wasRunning
   */
  update(row, was, wasRunning) {
    this.#tally(row, wasRunning);
    this.#put(row);
  }

  /**
   * An event, of which the rest is not read.
   *
   * @param {Brief} job
   * @param {string} was
   * @param {boolean} wasRunning
   */
  onJobEvent(job, was, wasRunning) {
    this.#tally(job, wasRunning);
    this.#tell(job.id);
  }

  /**
   * @param {Brief} job
   * @param {boolean} wasRunning where no row or event of it is known
   */
  #tally(job, wasRunning) {
    const known = this.#latest.get(job.id)?.job ?? this.#rows.get(job.id);
    this.#latest.set(job.id, { job, at: (this.#events += 1) });
    const before = known ? known.is_counted : wasRunning;
    this.running = Math.max(0, this.running + Number(job.is_counted) - Number(before));
  }

  /**
   * @param {string} after
   * @param {number} limit
   */
  #path(after, limit) {
    return `/sora/history?${new URLSearchParams({ ...this.filter, after, limit: String(limit) })}`;
  }

  /**
   * @param {string} after
   * @param {(jobs: Row[], since: number) => void} use
   */
  async #page(after, use) {
    const [round, since] = [this.#round, this.#events];
    [this.loading, this.error] = [true, ""];
    this.#tell();
    try {
      /** @type {PageResponse} */
      const { jobs, more, running, places } = await this.#read(this.#path(after, PAGE));
      if (round !== this.#round) return;
      this.#usePlaces(places, since);
      use(jobs, since);
      this.more = more;
      this.#count(running, since);
    } catch (error) {
      if (round !== this.#round) return;
      this.error = messageOf(error);
    }
    this.loading = false;
    this.#tell();
  }

  /**
   * @param {Row[]} jobs
   * @param {number} since
   */
  #append(jobs, since) {
    for (const job of jobs) {
      const row = this.#newest(job, since);
      if (row !== job && !matches(row, this.filter)) continue;
      if (!this.#rows.has(row.id)) this.ids.push(row.id); // an event may have brought it
      this.#rows.set(row.id, row);
    }
  }

  /**
   * A row of a response to a request that was sent after `since` events.
   *
   * @param {Row} row
   * @param {number} since
   * @returns {Row}
   */
  #newest(row, since) {
    const latest = this.#latest.get(row.id);
    return this.line.placed(latest && latest.at > since ? { ...row, ...latest.job } : row);
  }

  /**
   * @param {Places} places
   * @param {number} since
   */
  #usePlaces(places, since) {
    this.line.use(places, since);
    for (const [id, row] of this.#rows) this.#rows.set(id, this.line.placed(row));
  }

  /**
   * @param {number} running
   * @param {number} since
   */
  #count(running, since) {
    if (this.#events === since) this.running = running;
  }

  /** @param {Row} row */
  #put(row) {
    const known = this.#rows.has(row.id);
    if (!matches(row, this.filter)) {
      if (!known) return this.#tell(row.id);
      this.#rows.delete(row.id);
      this.ids.splice(this.ids.indexOf(row.id), 1);
      return this.#tell();
    }
    if (known) {
      this.#rows.set(row.id, row);
      return this.#tell(row.id);
    }
    const at = this.ids.findIndex((id) => isNewer(row, /** @type {Row} */ (this.#rows.get(id))));
    if (at < 0 && this.more) return this.#tell(row.id); // older than what was read: its page brings it
    this.#rows.set(row.id, row);
    this.ids.splice(at < 0 ? this.ids.length : at, 0, row.id);
    return this.#tell();
  }

  /** @param {string} [id] */
  #tell(id) {
    for (const watcher of this.#watchers) watcher(id);
  }
}

/**
 * Is `row` above `other`? The server's own order.
 *
 * @param {Row} row
 * @param {Row} other
 */
const isNewer = (row, other) =>
  row.created_at > other.created_at || (row.created_at === other.created_at && row.id < other.id);
