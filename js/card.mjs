/** One row of the list: a picture with its price and age, and what it is and how it stands beside it. */

import { makeBar } from "./bar.mjs";
import { el, mark, write } from "./dom.mjs";
import { factsOf, priceAndAge, promptOf, stateOf, troubleOf } from "./row.mjs";
import { say } from "./words.mjs";

export const HEIGHT = 104; // pixels, as sora.css has it
const SETTLE_MS = 120; // pictures that only fly by are not asked for

const without = new Set(); // addresses that gave no picture

/** The server may have been away when they were asked for. */
export const tryPicturesAgain = () => without.clear();

/** A box of 16:9 that gets the job's picture once there is one. `url(path)` makes an address of a route's. */
export function makeThumbnail(url) {
  const element = el("div", { class: "sora-thumb" }, el("i", { class: "pi pi-video", "aria-hidden": "true" }));
  let wanted = "";
  function show(row) {
    const address = row.file ? url(`/sora/history/${row.id}/thumbnail`) : "";
    if (address === wanted || without.has(address)) return;
    wanted = address;
    element.querySelector("img")?.remove();
    if (address) setTimeout(() => element.isConnected && wanted === address && load(address), SETTLE_MS);
  }
  function load(address) {
    const image = el("img", { alt: "", decoding: "async", draggable: "false" });
    image.onerror = () => {
      without.add(address);
      image.remove();
      if (wanted === address) wanted = "";
    };
    image.src = address;
    element.append(image);
  }
  return { element, show };
}

const line = (name) => el("div", { class: `sora-${name}` });

/** `{element, show(row)}`; `open(id)` is called when it is pressed. */
export function makeCard(id, { url, open }) {
  const thumbnail = makeThumbnail(url);
  const bar = makeBar(say("submitted"));
  const [prompt, facts, state, bad, age] = ["prompt", "facts", "state", "bad", "age"].map(line);
  const left = el("div", { class: "sora-left" }, thumbnail.element, age);
  const right = el("div", { class: "sora-lines" }, prompt, facts, state, bar.element, bad);
  const press = el("button", { type: "button", class: "sora-card", onclick: () => open(id) }, right, left);
  const element = el("div", { class: "sora-item", role: "listitem" }, press);
  function show(row) {
    const now = Date.now() / 1000;
    write(prompt, promptOf(row));
    write(facts, factsOf(row));
    write(state, stateOf(row, now));
    write(bad, troubleOf(row));
    mark(element, "data-running", row.running);
    write(age, priceAndAge(row, now));
    bar.show(row);
    thumbnail.show(row);
  }
  return { element, show };
}
