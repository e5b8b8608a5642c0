/** A progress bar of one job. */

/** @import { Brief } from "./types.d.ts" */

import { el, setAttribute } from "./dom.mjs";

/**
 * Its element and `show(row)`. While it is unknown how far it is, it moves, and says no number.
 *
 * @param {string} name
 */
export function makeBar(name) {
  const fill = el("div");
  const element = el(
    "div",
    { class: "sora-bar", role: "progressbar", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100 },
    fill,
  );
  /** @param {Brief} row */
  function show({ is_running, state, progress }) {
    element.hidden = !is_running || state === "queued"; // of which nothing goes on yet
    if (element.hidden) return;
    element.classList.toggle("sora-open", progress == null);
    if (progress == null) element.removeAttribute("aria-valuenow");
    else setAttribute(element, "aria-valuenow", Math.round(progress));
    setAttribute(fill, "style", progress == null ? "" : `transform: scaleX(${progress / 100})`);
  }
  return { element, show };
}
