/** A job of which nobody knows whether it was bought: three ways to settle it. */

/** @import { Host, JobResponse, Navigation, Row } from "./types.d.ts" */

import { button, el } from "./dom.mjs";
import { t } from "./words.mjs";

/**
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
export function makeSettle(row, host, view) {
  /** @param {object} body */
  const send = async (body) => {
    /** @type {JobResponse} */
    const { job } = await host.post(`/sora/history/${row.id}/settle`, body);
    view.changed(job);
  };
  const id = el("input", {
    type: "text",
    "aria-label": t("paste"),
    placeholder: t("paste"),
    "data-key": "paste",
    maxlength: 1000, // as much as the wire takes: LiteLLM's ids have some 250
    spellcheck: "false",
  });
  const pasted = async () => id.value.trim() && send({ video_id: id.value.trim() });
  const lost = async () => (await host.confirm(t("ask_lost"))) && send({ lost: true });
  /**
   * @param {string} icon
   * @param {string} key
   * @param {() => Promise<unknown>} run
   */
  const act = (icon, key, run) => button(icon, t(key), () => host.attempt(run), { "data-key": key });
  id.addEventListener("keydown", (event) => event.key === "Enter" && host.attempt(pasted));
  return el(
    "section",
    { class: "sora-box", "aria-label": t("settle") },
    el("h3", { text: t("settle") }),
    el("p", { text: t("settle_why") }),
    act("search", "look", () => send({})),
    el("div", { class: "sora-pair" }, id, act("check", "use_id", pasted)),
    act("times", "declare_lost", lost),
  );
}
