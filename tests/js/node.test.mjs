/** CreateSoraJob's combos and its offer, on a node that is only what the page's nodes have in common. */

import assert from "node:assert/strict";
import test from "node:test";
import { attach } from "../../js/node.mjs";

const live = { cometapi: { state: "live", date: "2026-09-03" } };
const retired = { cometapi: { state: "retired", date: "2026-09-21" } };
const MODELS = [
  { id: "old", seconds: ["4", "8"], sizes: ["1280x720"], status: retired },
  { id: "young", seconds: ["5", "8"], sizes: ["1280x720", "720x1280"], status: live },
];
const CHOICE = { model: "young", seconds: "5", size: "1280x720" };
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

function makeNode(values) {
  const named = { model: "young", seconds: "5", size: "1280x720", provider: "cometapi", custom_model: "", ...values };
  const node = {
    size: [400, 300],
    inputs: [],
    widgets: Object.entries(named).map(([name, value]) => ({ name, value, options: { values: ["of the host"] } })),
    addWidget(type, name, value, callback, options) {
      node.widgets.push({ type, name, value, callback, options });
      return node.widgets.at(-1);
    },
    removeWidget: (widget) => node.widgets.splice(node.widgets.indexOf(widget), 1),
    computeSize: () => [200, 30 * node.widgets.length],
    setSize: (size) => (node.size = size),
    widget: (name) => node.widgets.find((one) => one.name === name),
    choose(name, value) {
      node.widget(name).value = value;
      node.widget(name).callback?.(value);
    },
    says: () => ["model", "seconds", "size"].map((name) => node.widget(name).value),
    button: () => node.widgets.find((one) => one.type === "button"),
  };
  return node;
}

async function attached(values, more = {}) {
  const node = makeNode(values);
  const told = [];
  const page = {
    models: () => MODELS,
    nearest: async () => CHOICE,
    toastOnce: (text) => told.push(text),
    copiesWidgets: () => false,
    redrawWidgets() {},
    ...more,
  };
  attach(node, page);
  await settled();
  return { node, told };
}

test("a chosen model moves what it does not make to its defaults, and says so", async () => {
  const { node, told } = await attached({ seconds: "4", size: "720x1280" });
  node.choose("model", "young");
  assert.deepEqual(node.says(), ["young", "5", "720x1280"]);
  assert.match(told[0], /seconds 4 is now 5/);
  assert.deepEqual(node.widget("seconds").options.values, ["5", "8"]);
});

test("a loaded node keeps what it says", async () => {
  const { node, told } = await attached({ seconds: "30" });
  assert.deepEqual(node.says(), ["young", "30", "1280x720"]);
  assert.deepEqual(node.widget("seconds").options.values, ["30", "5", "8"]);
  assert.deepEqual(told, []);
});

test("a list keeps its identity, which the renderers rely on", async () => {
  const { node } = await attached();
  const list = node.widget("seconds").options.values;
  node.choose("model", "old");
  assert.equal(node.widget("seconds").options.values, list);
});

for (const gone of ["old", "no such model"]) {
  test(`a model that is gone (${gone}) is told once and kept; only the button changes it`, async () => {
    const { node, told } = await attached({ model: gone, seconds: "8" });
    node.choose("seconds", "4");
    await settled();
    assert.equal(told.length, 1);
    assert.deepEqual(node.says(), [gone, "4", "1280x720"]);
    const button = node.button();
    assert.equal(button.name, "Use young, 5 s, 1280x720");
    assert.equal(button.serialize, false);
    assert.equal(node.widgets.at(-1), button);
    button.callback();
    assert.deepEqual(node.says(), ["young", "5", "1280x720"]);
    assert.equal(node.button(), undefined);
    assert.deepEqual(node.size, [400, 300]);
  });
}

test("where no button can come later, a question is asked; no changes nothing", async () => {
  for (const [answer, model] of [
    [true, "young"],
    [false, "old"],
  ]) {
    const { node } = await attached({ model: "old" }, { copiesWidgets: () => true, confirm: async () => answer });
    assert.equal(node.says()[0], model);
    assert.equal(node.button(), undefined);
  }
});

test("a typed or linked model is not judged, and takes all lengths", async () => {
  const { node } = await attached({ model: "old", custom_model: "something" });
  assert.deepEqual(node.widget("seconds").options.values, ["4", "8", "5"]);
  node.choose("custom_model", "");
  assert.deepEqual(node.widget("seconds").options.values, ["4", "8"]);
  node.inputs = [{ name: "model", widget: { name: "model" }, link: 3 }];
  node.onConnectionsChange();
  await settled();
  assert.equal(node.widget("seconds").options.values.length, 3);
  assert.equal(node.button(), undefined);
});

test("a linked length is left alone", async () => {
  const { node, told } = await attached({ seconds: "4" });
  node.inputs = [{ name: "seconds", widget: { name: "seconds" }, link: 3 }];
  node.choose("model", "young");
  assert.equal(node.widget("seconds").value, "4");
  assert.deepEqual(told, []);
});

test("without a catalogue the host's lists stay", async () => {
  const { node, told } = await attached({}, { models: () => [] });
  node.choose("model", "old");
  assert.deepEqual(told, []);
  assert.ok(node.widget("seconds").options.values.includes("of the host"));
});

test("a removed node has no hook left", async () => {
  const { node } = await attached();
  node.onRemoved();
  for (const name of ["onConfigure", "onConnectionsChange", "onRemoved"]) assert.equal(node[name], undefined);
  for (const widget of node.widgets) assert.equal(widget.callback, undefined);
});
