/** A notification of the browser when a job is done and nobody looks at the page. It is off until somebody switches it
 * on; the switch and the permission are those of this browser. No DOM. */

import { isRunning, promptOf } from "./row.mjs";
import { known, say, spoken } from "./words.mjs";

const KEPT = "sora-jobs.notify";
const LONGEST = 60; // characters of a prompt: a lock screen shows them to everybody
const FRESH_S = 120; // as in nodes/sora/news.py: a job that is new to the server may only have been read
const ADDRESS = /(?:[a-z][\w+.-]*:\/\/|www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}[/:?])\S*/gi;

/** The beginning of a prompt, without any address in it. */
export function beginningOf(prompt) {
  const letters = [...prompt.replace(ADDRESS, "…").replace(/\s+/g, " ").trim()];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : letters.join("");
}

export class Bell {
  #read;
  #open;
  #page;

  /** `read(id)` gives a job's row, `open(id)` shows the job; `page` is the window. */
  constructor(read, open, page = globalThis) {
    [this.#read, this.#open, this.#page] = [read, open, page];
  }

  /** What stands in the way: "insecure" (http from another machine), "unsupported", "denied" or "". */
  get hindrance() {
    if (!this.#page.isSecureContext) return "insecure";
    if (!this.#page.Notification) return "unsupported";
    return this.#page.Notification.permission === "denied" ? "denied" : "";
  }

  /** Is it switched on, and allowed? */
  get on() {
    return this.#wanted && !this.hindrance && this.#page.Notification.permission === "granted";
  }

  /** Switch it, in the handler of a click: browsers ask for the permission at no other time. */
  async turn(on) {
    const asked = on && !this.hindrance && this.#page.Notification.requestPermission();
    await asked;
    this.#keep(on && !this.hindrance && this.#page.Notification.permission === "granted");
  }

  /** An event of the server: `job` as it stands, `was` its state before. Tells of a video that is there now. */
  async hear(job, was) {
    if (job.state !== "stored" || (was && !isRunning(was)) || !this.on || !this.#unseen) return;
    const row = await this.#read(job.id).catch(() => null);
    if (row && (was || Date.now() / 1000 - row.stored_at < FRESH_S)) this.tell(row);
  }

  /** Tell of a job that is done, one way or the other; nothing where it is off, or somebody looks at the page. */
  tell(row) {
    if (!this.on || !this.#unseen) return;
    const state = known(row.state) ? say(row.state) : row.state;
    const title = row.state === "stored" ? say("notify_done") : say("notify_wrong", { state });
    const given = { body: beginningOf(promptOf(row)), tag: `sora-job-${row.id}`, lang: spoken() };
    try {
      const shown = new this.#page.Notification(title, given);
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

  #keep(on) {
    try {
      if (on) this.#page.localStorage.setItem(KEPT, "on");
      else this.#page.localStorage.removeItem(KEPT);
    } catch {
      // it stays off
    }
  }
}
