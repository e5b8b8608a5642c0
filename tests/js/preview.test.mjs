/** The previews of all nodes have one timer, that of the page, and nothing is kept of nodes that are gone. */

import assert from "node:assert/strict";
import test from "node:test";
import { Previews } from "../../js/preview.mjs";
import { makeDocument } from "./document.mjs";

makeDocument().createElement = ((make) => (tag) => {
  const made = make(tag);
  const brush = { fillRect: () => {}, drawImage: () => {} };
  return tag === "canvas" ? Object.assign(made, { getContext: () => brush }) : made;
})(document.createElement);
const images = [];
globalThis.Image = class {
  constructor() {
    images.push(this);
    Object.assign(this, { naturalWidth: 10, naturalHeight: 10 });
  }
};

function made() {
  const nodes = [];
  const graph = { nodes, links: {}, getNodeById: () => ({ imgs: [{ src: "a.png" }] }) };
  const host = { graphs: () => [graph], url: (path) => path, copiesWidgets: () => false };
  const previews = new Previews(host);
  function add() {
    const widgets = Object.entries({ size: "1280x720", fit: "crop" }).map(([name, value]) => ({ name, value }));
    const node = { graph, widgets, size: [300, 200], inputs: [{ name: "reference", link: nodes.length }], shown: 0 };
    Object.assign(node, {
      computeSize: () => [300, 200],
      setSize: () => {},
      addDOMWidget: () => (node.shown += 1) && {},
    });
    graph.links[nodes.length] = { origin_id: 9 };
    nodes.push(node);
    previews.attach(node);
    return node;
  }
  images.length = 0;
  return { previews, nodes, add };
}

test("many nodes start no timer of their own, and are shown when the page's timer says so", (context) => {
  const timer = context.mock.method(globalThis, "setInterval");
  const { previews, nodes, add } = made();
  for (let count = 0; count < 20; count += 1) add();
  assert.equal(timer.mock.callCount(), 0);
  previews.update();
  for (const image of images) image.onload();
  assert.ok(nodes.every((node) => node.shown === 1));
  previews.update();
  assert.equal(images.length, 20); // nothing changed
});

test("a node that is in no graph any more is not looked at, also where nobody told that it was removed", () => {
  const { previews, nodes, add } = made();
  const [gone] = [add(), add()];
  nodes.shift();
  previews.update();
  assert.deepEqual([images.length, gone.shown], [1, 0]);
});

test("a picture that comes after its node was removed is shown nowhere", () => {
  const { previews, add } = made();
  const node = add();
  previews.update();
  node.onRemoved();
  images[0].onload();
  node.widgets[0].value = "720x1280";
  previews.update();
  assert.deepEqual([images.length, node.shown, node.onRemoved], [1, 0, undefined]);
});
