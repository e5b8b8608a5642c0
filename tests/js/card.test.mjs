/** A row of the list: what is in it for a screen reader, and its picture. */

import assert from "node:assert/strict";
import test from "node:test";
import { makeCard, makeThumbnail, tryPicturesAgain, without } from "../../js/card.mjs";
import { makeDocument } from "./document.mjs";
import { ROW } from "./rows.mjs";

makeDocument();
const NOW = ROW.created_at + 61;
const PHRASING = ["span", "i", "img"]; // what HTML allows in a button, of that which is used here

function made(row = ROW) {
  const opened = [];
  const host = { url: (path) => path, now: () => NOW };
  const card = makeCard(row.id, host, (id) => opened.push(id));
  card.show(row);
  return { ...card, opened, press: card.element.querySelector("button") };
}

test("a card is a list item with one button, which has the prompt as its name and nothing but text in it", () => {
  const { element, opened, press } = made();
  assert.equal(element.getAttribute("role"), "listitem");
  assert.equal([...element.all()].filter(({ tag }) => tag === "button").length, 1);
  assert.equal(press.textContent, ROW.prompt);
  for (const child of press.all()) assert.ok(PHRASING.includes(child.tag), child.tag);
  press.click();
  assert.deepEqual(opened, [ROW.id]);
});

test("its progress is no part of the button, so that it is announced", () => {
  const { element, press, show } = made();
  const bar = element.querySelector('[role="progressbar"]');
  assert.equal(press.querySelector('[role="progressbar"]'), null);
  assert.deepEqual([bar.getAttribute("aria-valuenow"), bar.getAttribute("aria-label")], ["40", "Rendering"]);
  show({ ...ROW, progress: 70 });
  assert.equal(bar.getAttribute("aria-valuenow"), "70");
});

test("the button is described by all that the card says", () => {
  const { element, press } = made({ ...ROW, error: "slow" });
  const ids = press.getAttribute("aria-describedby").split(" ");
  const texts = ids.map((id) => element.querySelector(`[id="${id}"]`).textContent);
  assert.deepEqual(texts, [
    "Rendering 40 % · about 40 sec left",
    "sora-2 · 8 sec · 1280×720 · cometapi",
    "slow",
    "≈ $0.80 · 1m ago",
  ]);
  assert.notEqual(made({ ...ROW, id: "other" }).press.getAttribute("aria-describedby"), ids.join(" "));
});

test("a picture may be in a button, too", () => {
  assert.equal(makeThumbnail(String).element.tag, "span");
});

test("addresses without a picture are remembered, but not all for ever", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  for (let number = 0; number < 700; number += 1) {
    const { element, show } = makeThumbnail((path) => path);
    show({ id: `job${number}`, file: { filename: "a.mp4" } });
    context.mock.timers.tick(200);
    element.querySelector("img").onerror();
  }
  assert.equal(without.size, 500);
  assert.ok(without.has("/sora/history/job699/thumbnail"));
  tryPicturesAgain();
  assert.equal(without.size, 0);
});
