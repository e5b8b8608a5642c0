/** A job whose purchase is uncertain: three ways to reconcile it. */

/** @import { Host, JobResponse, Navigation, Row } from "./types.d.ts" */

import { button, el } from "./dom.mjs";
import { t } from "./words.mjs";

/**
 * @param {Row} row
 * @param {Host} host
 * @param {Navigation} view
 */
export function makeReconcile(row, host, view) {
  /** @param {object} body */
  const send = async (body) => {
    /** @type {JobResponse} */
    const { job } = await host.post(`/sora/history/${row.id}/reconcile`, body);
    view.changed(job);
  };
  const id = el("input", {
    type: "text",
    "aria-label": t("paste"),
    placeholder: t("paste"),
    "data-key": "paste",
    maxlength: 1000, // as many as the API takes: ids of LiteLLM have about 250
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
    { class: "sora-box", "aria-label": t("reconcile") },
    el("h3", { text: t("reconcile") }),
    el("p", { text: t("reconcile_why") }),
    act("search", "look", () => send({})),
    el("div", { class: "sora-pair" }, id, act("check", "use_id", pasted)),
    act("times", "declare_lost", lost),
  );
}
