/** One row of the list: a picture with its price and age, and what it is and how it is doing beside it. */

/** @import { Host, Row } from "./types.d.ts" */

import { makeBar } from "./bar.mjs";
import { el, setAttribute, setText } from "./dom.mjs";
import { Recent } from "./recent.mjs";
import { factsOf, noteOf, priceAndAge, promptOf, stateOf, troubleOf } from "./row.mjs";
import { t } from "./words.mjs";

export const HEIGHT = 104; // pixels, as sora.css has it
const SETTLE_MS = 120; // pictures that only fly by are not asked for
const MOST_WITHOUT = 500;

/** @type {Recent<string, true>} addresses that gave no picture */
export const without = new Recent(MOST_WITHOUT);

/** The server may have been away when they were asked for. */
export const tryPicturesAgain = () => without.clear();

/**
 * A box of 16:9 that gets the job's picture once there is one. It is a span, since it may be in a button.
 *
 * @param {Host["url"]} url
 */
export function makeThumbnail(url) {
  const element = el("span", { class: "sora-thumb" }, el("i", { class: "pi pi-video", "aria-hidden": "true" }));
  let wanted = "";

  /** @param {Row} row */
  function show(row) {
    const address = row.file ? url(`/sora/history/${row.id}/thumbnail`) : "";
    if (address === wanted || without.has(address)) return;
    wanted = address;
    element.querySelector("img")?.remove();
    if (address) setTimeout(() => element.isConnected && wanted === address && load(address), SETTLE_MS);
  }

  /** @param {string} address */
  function load(address) {
    const image = el("img", { alt: "", decoding: "async", draggable: "false" });
    image.onerror = () => {
      without.set(address, true);
      image.remove();
      if (wanted === address) wanted = "";
    };
    image.src = address;
    element.append(image);
  }
  return { element, show };
}

/**
 * `{element, show(row)}`. Its button has the prompt as its name, is described by the other lines, and covers the card;
 * the progress bar is beside it, since what is in a button is no element of its own for a screen reader.
 *
 * @param {string} id
 * @param {Pick<Host, "url" | "now">} host
 * @param {(id: string) => unknown} open is called when it is pressed
 */
export function makeCard(id, host, open) {
  /** @param {string} name */
  const line = (name) => el("div", { class: `sora-${name}`, id: `sora-${id}-${name}` });
  const thumbnail = makeThumbnail(host.url);
  const bar = makeBar(t("submitted"));
  const [facts, state, bad, age] = ["facts", "state", "bad", "age"].map(line);
  const prompt = el("span", { class: "sora-prompt" });
  const described = [state, facts, bad, age].map((each) => each.id).join(" ");
  const given = { type: "button", class: "sora-press", "aria-describedby": described, onclick: () => open(id) };
  const lines = el("div", { class: "sora-lines" }, el("button", given, prompt), facts, state, bar.element, bad);
  const left = el("div", { class: "sora-left" }, thumbnail.element, age);
  const element = el("div", { class: "sora-item", role: "listitem" }, el("div", { class: "sora-card" }, lines, left));

  /** @param {Row} row */
  function show(row) {
    const now = host.now();
    setText(prompt, promptOf(row));
    setText(facts, factsOf(row));
    setText(state, stateOf(row, now));
    const trouble = troubleOf(row);
    setText(bad, trouble || noteOf(row));
    setAttribute(bad, "data-quiet", !trouble);
    setAttribute(element, "data-running", row.is_running);
    setText(age, priceAndAge(row, now));
    bar.show(row);
    thumbnail.show(row);
  }
  return { element, show };
}
