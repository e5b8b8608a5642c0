/** What an OpenAIVideoSora2 node says, however a page keeps it. */

import assert from "node:assert/strict";
import test from "node:test";
import { convertAll, settingsOf } from "../../js/convert.mjs";

const VALUES = ["sora-2-pro", "a boat", "1024x1792", 12, 7, "randomize"];
const SAID = { model: "sora-2-pro", prompt: "a boat", seconds: "12", size: "1024x1792" };
const widgets = [
  ["model", "sora-2-pro"],
  ["prompt", "a boat"],
  ["size", "1024x1792"],
  ["duration", 12],
  ["seed", 7],
];

const KEPT = {
  "its widgets": { widgets: widgets.map(([name, value]) => ({ name, value })) },
  "a list of values, where its class is gone": { widgets_values: VALUES },
  "what was loaded, where its class is gone": { last_serialization: { widgets_values: VALUES } },
  "values by name": { last_serialization: { widgets_values_named: Object.fromEntries(widgets) } },
};
for (const [how, node] of Object.entries(KEPT)) {
  test(`read from ${how}`, () => assert.deepEqual(settingsOf(node), SAID));
}

test("a node that says nothing becomes one with core's defaults", () => {
  assert.deepEqual(settingsOf({}), { model: "sora-2", prompt: "", seconds: "8", size: "1280x720" });
  assert.deepEqual(settingsOf({ widgets_values: { model: "sora-2-pro" } }).model, "sora-2");
});

test("a graph without such nodes is not touched", () => {
  const graph = { nodes: [{ type: "SaveVideo" }] }; // has neither add nor remove
  assert.deepEqual(
    convertAll([graph], () => assert.fail()),
    { count: 0, lost: 0 },
  );
});
