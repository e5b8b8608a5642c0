/** A job of which nobody knows whether it was bought: three ways to settle it. */

import { button, el } from "./dom.mjs";
import { say } from "./words.mjs";

/** `host` has post, confirm, attempt and changed(row). */
export function makeSettle(row, host) {
  const send = async (body) => host.changed((await host.post(`/sora/history/${row.id}/settle`, body)).job);
  const id = el("input", {
    type: "text",
    "aria-label": say("paste"),
    placeholder: say("paste"),
    "data-key": "paste",
    maxlength: 1000, // as much as the wire takes: LiteLLM's ids have some 250
    spellcheck: "false",
  });
  const pasted = () => id.value.trim() && send({ video_id: id.value.trim() });
  const lost = async () => (await host.confirm(say("ask_lost"))) && send({ lost: true });
  const act = (icon, key, run) => button(icon, say(key), () => host.attempt(run), { "data-key": key });
  id.addEventListener("keydown", (event) => event.key === "Enter" && host.attempt(pasted));
  return el(
    "section",
    { class: "sora-box", "aria-label": say("settle") },
    el("h3", { text: say("settle") }),
    el("p", { text: say("settle_why") }),
    act("search", "look", () => send({})),
    el("div", { class: "sora-pair" }, id, act("check", "use_id", pasted)),
    act("times", "declare_lost", lost),
  );
}
