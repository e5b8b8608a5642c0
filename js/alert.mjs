/** A job that went wrong is told in words, with the button that cures it. The host's own toasts have no buttons. */

/** @import { Alerted, Cure } from "./types.d.ts" */

import { button, el } from "./dom.mjs";
import { errorOf, promptOf, stateName } from "./row.mjs";
import { t } from "./words.mjs";

const SHOWN_MS = 15_000;
const MOST = 3; // at a time; the tab has them all

export class Alerts {
  #cures;
  #box = el("div", { class: "sora-jobs sora-alerts" });
  /** @type {Map<string, { close(): void, wait(): void }>} job -> what removes its toast, and begins its time anew */
  #shown = new Map();
  #seen = () => this.#shown.forEach(({ wait }) => wait());

  /** @param {{ [cure: string]: Cure | undefined, "": Cure }} cures by a row's `cure`; "" is for rows without one */
  constructor(cures) {
    this.#cures = cures;
    document.body.append(this.#box);
    document.addEventListener("visibilitychange", this.#seen);
  }

  end() {
    document.removeEventListener("visibilitychange", this.#seen);
    for (const { close } of [...this.#shown.values()]) close();
    this.#box.remove();
  }

  /** @param {Alerted} job */
  show(job) {
    this.#shown.get(job.id)?.close();
    if (this.#shown.size >= MOST) this.#shown.values().next().value?.close();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const close = () => {
      clearTimeout(timer);
      this.#shown.delete(job.id);
      toast.remove();
    };
    const stay = () => clearTimeout(timer);
    const wait = () => {
      stay();
      if (!document.hidden && !toast.matches(":hover, :focus-within")) timer = setTimeout(close, SHOWN_MS);
    };
    const { icon, key, run } = this.#cures[job.cure] ?? this.#cures[""];
    const cured = () => {
      close();
      run(job);
    };
    const toast = el(
      "div",
      { class: "sora-alert", role: "alert", onmouseenter: stay, onfocusin: stay, onmouseleave: wait, onfocusout: wait },
      el("strong", { text: stateName(job.state) }),
      button("times", t("close"), close, { bare: true }),
      el("p", { class: "sora-prompt", text: promptOf(job) }),
      el("p", { class: "sora-text", text: errorOf(job) }),
      button(icon, t(key), cured),
    );
    toast.addEventListener("keydown", (event) => event.key === "Escape" && close());
    this.#shown.set(job.id, { close, wait });
    this.#box.append(toast);
    wait();
  }
}
