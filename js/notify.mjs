/** A notification of the browser when a job is done and nobody looks at the page. It is off until somebody switches it
 * on; the switch and the permission are those of this browser. No DOM. */

/** @import { Brief, Row } from "./types.d.ts" */

import { promptOf, stateName } from "./row.mjs";
import { currentLanguage, t } from "./words.mjs";

const KEPT = "sora-jobs.notify";
const LONGEST = 60; // characters of a prompt: a lock screen shows them to everybody
const FRESH_S = 120; // as Timing.news_fresh_s: a job that is new to the server may only have been read
const ADDRESS = /(?:[a-z][\w+.-]*:\/\/|www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}[/:?])\S*/gi;

/**
 * The beginning of a prompt, without any address in it.
 *
 * @param {string} prompt
 */
export function beginningOf(prompt) {
  const letters = [...prompt.replace(ADDRESS, "…").replace(/\s+/g, " ").trim()];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : letters.join("");
}

/**
 * The parts of a window that are used.
 *
 * @typedef {Pick<Window, "focus" | "isSecureContext" | "localStorage"> & {
 *   document: Pick<Document, "hidden" | "hasFocus">,
 *   Notification?: typeof Notification,
 * }} Page
 */

export class Bell {
  #read;
  #open;
  #now;
  #page;

  /**
   * `now()` is the server's time, in seconds.
   *
   * @param {(id: string) => Promise<Row>} read
   * @param {(id: string) => unknown} open
   * @param {() => number} now
   * @param {Page} [page]
   */
  constructor(read, open, now, page = globalThis.window) {
    this.#read = read;
    this.#open = open;
    this.#now = now;
    this.#page = page;
  }

  /** What stands in the way: "insecure" (http from another machine), "unsupported", "denied" or "". */
  get hindrance() {
    if (!this.#page.isSecureContext) return "insecure";
    if (!this.#page.Notification) return "unsupported";
    return this.#page.Notification.permission === "denied" ? "denied" : "";
  }

  /** Is it switched on, and allowed? */
  get on() {
    return this.#wanted && !this.hindrance && this.#page.Notification?.permission === "granted";
  }

  /**
   * Switch it, in the handler of a click: browsers ask for the permission at no other time.
   *
   * @param {boolean} on
   */
  async switchTo(on) {
    await (on && !this.hindrance && this.#page.Notification?.requestPermission());
    this.#keep(on && !this.hindrance && this.#page.Notification?.permission === "granted");
  }

  /**
   * An event of the server: notify of a video that is there now.
   *
   * @param {Pick<Brief, "id" | "state">} job
   * @param {string} was its state before
   * @param {boolean} wasRunning
   */
  async onJobEvent(job, was, wasRunning) {
    if (job.state !== "stored" || (was && !wasRunning) || !this.on || !this.#unseen) return;
    const row = await this.#read(job.id).catch(() => null);
    if (row && (was || this.#now() - (row.stored_at ?? 0) < FRESH_S)) this.notify(row);
  }

  /**
   * Notify of a job that is done, one way or the other; not where it is off, or somebody looks at the page.
   *
   * @param {Pick<Row, "id" | "state" | "prompt">} row
   */
  notify(row) {
    const { Notification } = this.#page;
    if (!Notification || !this.on || !this.#unseen) return;
    const title = row.state === "stored" ? t("notify_done") : t("notify_wrong", { state: stateName(row.state) });
    const given = { body: beginningOf(promptOf(row)), tag: `sora-job-${row.id}`, lang: currentLanguage() };
    try {
      const shown = new Notification(title, given);
      shown.onclick = () => {
        this.#page.focus();
        shown.close();
        this.#open(row.id);
      };
    } catch {
      // Android's browsers have none without a service worker
    }
  }

  get #unseen() {
    return this.#page.document.hidden || !this.#page.document.hasFocus();
  }

  get #wanted() {
    try {
      return this.#page.localStorage.getItem(KEPT) === "on";
    } catch {
      return false; // no storage for this page
    }
  }

  /** @param {boolean} on */
  #keep(on) {
    try {
      if (on) this.#page.localStorage.setItem(KEPT, "on");
      else this.#page.localStorage.removeItem(KEPT);
    } catch {
      // it stays off
    }
  }
}
