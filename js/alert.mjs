/** A job that went wrong is told in words, with the button that cures it. The host's own toasts have no buttons. */

import { button, el } from "./dom.mjs";
import { promptOf } from "./row.mjs";
import { known, say } from "./words.mjs";

const SHOWN_MS = 15_000;
const MOST = 3; // at a time; the tab has them all

export class Alerts {
  #cures;
  #box = el("div", { class: "sora-jobs sora-alerts" });
  #shown = new Map(); // job -> {close, wait}: what takes its toast away, and begins its time anew
  #seen = () => this.#shown.forEach(({ wait }) => wait());

  /** `cures`: a row's `cure` -> {icon, key, run(row)}; "" is for rows without one. */
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

  show(job) {
    this.#shown.get(job.id)?.close();
    if (this.#shown.size >= MOST) this.#shown.values().next().value.close();
    let timer = 0;
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
      el("strong", { text: known(job.state) ? say(job.state) : job.state }),
      button("times", say("close"), close, { bare: true }),
      el("p", { class: "sora-prompt", text: promptOf(job) }),
      el("p", { class: "sora-text", text: job.error }),
      button(icon, say(key), cured),
    );
    toast.addEventListener("keydown", (event) => event.key === "Escape" && close());
    this.#shown.set(job.id, { close, wait });
    this.#box.append(toast);
    wait();
  }
}
