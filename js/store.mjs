/** The jobs that the tab shows: pages of GET /sora/history, kept right by the server's events. No DOM. */

import { isRunning, matches } from "./row.mjs";

const PAGE = 60;
const MOST = 20; // jobs that are asked for one by one at a look

export class Store {
  /** Ledger ids, newest first, of all rows that were read so far. */
  ids = [];
  /** There are older ones. */
  more = true;
  /** How many jobs are on their way, in the whole ledger. */
  running = 0;
  filter = { state: "", search: "" };
  loading = false;
  error = "";
  #rows = new Map();
  #read;
  #round = 0; // answers to an earlier filter count no more
  #events = 0;
  #heard = new Map(); // id -> its last event: an answer that was asked for before tells what was earlier
  #watchers = new Set();

  /** `read(path)` gives a route's answer, or throws an error in plain words. */
  constructor(read) {
    this.#read = read;
  }

  row(id) {
    return this.#rows.get(id);
  }

  /** Have `changed(id)` called with a row that changed, or without one when the list did. Returns the way out. */
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
    const { jobs, more, running } = await this.#read(this.#path("", PAGE));
    if (round !== this.#round) return;
    const there = new Set(jobs.map(({ id }) => id));
    if (more && this.ids.length && !this.ids.some((id) => there.has(id))) return this.reset(); // so many are new
    const left = this.#left(there, more ? jobs.at(-1) : null);
    for (const job of jobs) this.#put(this.#newest(job, since));
    this.#count(running, since);
    this.#tell();
    await Promise.all(left.map((id) => this.#look(id, round)));
  }

  /** Those of the list that should be in an answer with `there` that ends with `last`, and are not; and what runs. */
  #left(there, last) {
    const within = (row) => !last || !isNewer(last, row) || row.running;
    return this.ids.filter((id) => !there.has(id) && within(this.#rows.get(id))).slice(0, MOST);
  }

  /** Read one job of the list again. */
  async #look(id, round) {
    const since = this.#events;
    const told = await this.#read(`/sora/history/${id}`).catch(() => null); // the next look may find it
    if (told && round === this.#round) this.#put(this.#newest(told.job, since));
  }

  /** Only how many are running. */
  async count() {
    const since = this.#events;
    this.#count((await this.#read("/sora/history?limit=1")).running, since);
    this.#tell();
  }

  /** A row that was written; `was` is the state that it had, or "" for a new one. */
  take(row, was) {
    this.#tally(row, was);
    this.#put(row);
  }

  /** An event that says how a job stands, and no more. */
  hear(brief, was) {
    this.#tally(brief, was);
    this.#tell(brief.id);
  }

  #tally(row, was) {
    const known = this.#heard.get(row.id)?.row ?? this.#rows.get(row.id);
    this.#heard.set(row.id, { row, at: (this.#events += 1) });
    const before = known ? counts(known) : isRunning(was);
    this.running = Math.max(0, this.running + Number(counts(row)) - Number(before));
  }

  #path(after, limit) {
    return `/sora/history?${new URLSearchParams({ ...this.filter, after, limit })}`;
  }

  async #page(after, use) {
    const [round, since] = [this.#round, this.#events];
    [this.loading, this.error] = [true, ""];
    this.#tell();
    try {
      const answer = await this.#read(this.#path(after, PAGE));
      if (round !== this.#round) return;
      use(answer.jobs, since);
      this.more = answer.more;
      this.#count(answer.running, since);
    } catch (error) {
      if (round !== this.#round) return;
      this.error = error.message;
    }
    this.loading = false;
    this.#tell();
  }

  #append(jobs, since) {
    for (const job of jobs) {
      const row = this.#newest(job, since);
      if (row !== job && !matches(row, this.filter)) continue;
      if (!this.#rows.has(row.id)) this.ids.push(row.id); // an event may have brought it
      this.#rows.set(row.id, row);
    }
  }

  #newest(row, since) {
    const heard = this.#heard.get(row.id);
    return heard?.at > since ? { ...row, ...heard.row } : row;
  }

  #count(running, since) {
    if (this.#events === since) this.running = running;
  }

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
    const at = this.ids.findIndex((id) => isNewer(row, this.#rows.get(id)));
    if (at < 0 && this.more) return this.#tell(row.id); // older than what was read: its page brings it
    this.#rows.set(row.id, row);
    this.ids.splice(at < 0 ? this.ids.length : at, 0, row.id);
    return this.#tell();
  }

  #tell(id) {
    for (const watcher of this.#watchers) watcher(id);
  }
}

/** Is it one of those that are running, as the server counts them? */
const counts = (row) => row.running && !row.aside;

/** Does `row` stand above `other`? The server's own order. */
const isNewer = (row, other) =>
  row.created_at > other.created_at || (row.created_at === other.created_at && row.id < other.id);
