/** A progress bar of one job. */

import { el } from "./dom.mjs";

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
    element.classList.toggle("sora-open", running && progress == null);
    if (progress == null) element.removeAttribute("aria-valuenow");
    else element.setAttribute("aria-valuenow", Math.round(progress));
    fill.style.width = progress == null ? "" : `${progress}%`;
  }
  return { element, show };
}
