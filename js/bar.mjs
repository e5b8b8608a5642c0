/** A progress bar of one job. */

import { el, mark } from "./dom.mjs";

/** Its element and `show(row)`. Not known how far: it moves, and says no number. */
export function makeBar(name) {
  const fill = el("div");
  const element = el(
    "div",
    { class: "sora-bar", role: "progressbar", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100 },
    fill,
  );
  function show({ running, progress }) {
    element.hidden = !running;
    if (!running) return;
    element.classList.toggle("sora-open", progress == null);
    if (progress == null) element.removeAttribute("aria-valuenow");
    else mark(element, "aria-valuenow", Math.round(progress));
    mark(fill, "style", progress == null ? "" : `transform: scaleX(${progress / 100})`);
  }
  return { element, show };
}
