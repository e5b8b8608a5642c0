/** What the catalogue's rows mean for the combos. */

import assert from "node:assert/strict";
import test from "node:test";
import { allChoices, choicesFor, statusOf, withCurrent } from "../../js/models.mjs";

const MODELS = [
  { id: "a", seconds: ["4", "8"], sizes: ["1280x720"], status: { cometapi: { state: "live", date: "2026-09-03" } } },
  { id: "b", seconds: ["5", "4"], sizes: ["854x480"], status: { cometapi: { state: "retired", date: "2026-09-21" } } },
  { id: "new", seconds: [], sizes: [], status: {} },
];
const ALL = { seconds: ["4", "8", "5"], size: ["1280x720", "854x480"] };

test("everything is each length and size once, in the catalogue's order", () => {
  assert.deepEqual(allChoices(MODELS), ALL);
});

test("what is not on offer adds nothing to choose from", () => {
  const gone = { id: "gone", seconds: ["99"], sizes: ["64x64"], status: {}, is_offered: false };
  assert.deepEqual(allChoices([...MODELS, gone]), ALL);
  assert.deepEqual(choicesFor([...MODELS, gone], "gone"), { seconds: ["99"], size: ["64x64"] });
});

test("a model narrows to its own, its defaults first", () => {
  assert.deepEqual(choicesFor(MODELS, "b"), { seconds: ["5", "4"], size: ["854x480"] });
});

for (const id of ["new", "no such model", undefined]) {
  test(`all there are for ${id}, of which nobody knows what it takes`, () => {
    assert.deepEqual(choicesFor(MODELS, id), ALL);
  });
}

test("a combo keeps the value that it has", () => {
  assert.deepEqual(withCurrent(["4", "8"], "30"), ["30", "4", "8"]);
  assert.deepEqual(withCurrent(["4", "8"], "8"), ["4", "8"]);
  assert.deepEqual(withCurrent(["4", "8"], undefined), ["4", "8"]);
});

test("a model's standing is its provider's", () => {
  assert.equal(statusOf(MODELS, "a", "cometapi").state, "live");
  assert.deepEqual(statusOf(MODELS, "b", "cometapi"), { state: "retired", date: "2026-09-21" });
  assert.equal(statusOf(MODELS, "b", "sandbox").state, "unknown");
  assert.equal(statusOf(MODELS, "no such model", "cometapi").state, "missing");
});
