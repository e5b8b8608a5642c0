/** Tricks on the host's page, each on a page that needs it and on one that has or lacks what it is about. */

import assert from "node:assert/strict";
import test from "node:test";
import { graphsOf, linkOf, nodesOf } from "../../js/graphs.mjs";
import { TAB, makeHost } from "../../js/host.mjs";
import { makeDocument } from "./document.mjs";

const document = makeDocument();
globalThis.window = { LiteGraph: {} };
globalThis.requestAnimationFrame = (run) => run();
globalThis.KeyboardEvent = class {
  constructor(type, given) {
    Object.assign(this, { type }, given);
  }
};

const hostOf = (app) => makeHost(app, {});
const withTabs = (...tabs) => ({ extensionManager: { getSidebarTabs: () => tabs } });

test("the number of running jobs goes into the page's own tab, once; a page without a list of tabs shows none", () => {
  const tab = { id: TAB, iconBadge: null };
  const writes = [];
  const watched = new Proxy(tab, { set: (...given) => writes.push(given[1]) && Reflect.set(...given) });
  const host = hostOf(withTabs({ id: "other" }, watched));
  for (const running of [2, 2, 0, 0]) host.countTab(running);
  assert.deepEqual([writes.length, tab.iconBadge], [2, null]);
  host.nameTab("Jobs", "All of them");
  assert.deepEqual([tab.title, tab.tooltip], ["Jobs", "All of them"]);
  for (const bare of [hostOf({ extensionManager: {} }), hostOf(withTabs())]) {
    bare.countTab(1);
    bare.nameTab("Jobs", "");
    assert.equal(bare.tab(), undefined);
  }
});

test("badges are read again by what they read in the tab, and the canvas is drawn", () => {
  const tab = { id: TAB };
  const drawn = [];
  const host = hostOf({ ...withTabs(tab), canvas: { setDirty: () => drawn.push(1) } });
  const before = tab.badgesRead;
  host.refreshBadges();
  assert.notEqual(tab.badgesRead, before);
  host.refreshBadges();
  assert.deepEqual([tab.badgesRead, drawn.length], [2, 2]);
  hostOf({ extensionManager: {} }).refreshBadges();
});

test("a badge is made anew only when it reads otherwise, and reads the tab's counter", () => {
  window.LGraphBadge = class {
    constructor(given) {
      Object.assign(this, given);
    }
  };
  const reads = [];
  const tab = new Proxy({ id: TAB }, { get: (...given) => reads.push(given[1]) && Reflect.get(...given) });
  const host = hostOf(withTabs(tab));
  let text = "a";
  const node = { badges: [] };
  host.addBadge(node, () => text);
  const first = node.badges[0]();
  assert.equal(node.badges[0](), first);
  assert.ok(reads.includes("badgesRead"));
  text = "b";
  assert.equal(node.badges[0]().text, "b");
});

test("without the page's class, or a node's list, there is no badge", () => {
  const host = hostOf(withTabs());
  const node = {};
  host.addBadge(node, () => "a");
  assert.deepEqual(node, {});
  delete window.LGraphBadge;
  const other = { badges: [] };
  host.addBadge(other, () => "a");
  assert.deepEqual(other.badges, []);
});

/** Which keys reach an element of the page. */
function keysOf(element) {
  const keys = [];
  element.addEventListener("keydown", ({ key }) => keys.push(key));
  return keys;
}

test("a dialog that a button is in gets the Escape key; without one no key is sent", () => {
  const host = hostOf(withTabs());
  const keys = keysOf(document);
  const button = document.createElement("button");
  document.body.append(button);
  host.closeDialog(button);
  assert.deepEqual(keys, []);
  for (const [name, value] of [
    ["role", "dialog"],
    ["class", "p-dialog"],
  ]) {
    // prettier-ignore
    const dialog = document.createElement("div");
    dialog.setAttribute(name, value);
    dialog.append(button);
    document.body.append(dialog);
    host.closeDialog(button);
  }
  assert.deepEqual(keys, ["Escape", "Escape"]);
});

test("a dialog over everything gets it from anywhere", () => {
  const host = hostOf(withTabs());
  const keys = keysOf(document.body);
  host.closeDialog();
  assert.deepEqual(keys, []);
  const mask = document.createElement("div");
  mask.setAttribute("class", "p-dialog-mask");
  document.body.append(mask);
  host.closeDialog();
  assert.deepEqual(keys, ["Escape"]);
  mask.remove();
});

/** A node on the screen of Nodes 2.0, whose widgets are an accessor (1.49.6) or an array that was copied (1.27.10). */
function shownNode(watched) {
  const told = [];
  const graph = { onTrigger: (name, given) => told.push([name, given.property, given.newValue]) };
  const node = { id: 7, graph, widgets: [], flags: { collapsed: false } };
  if (watched) Object.defineProperty(node, "widgets", { get: () => [] });
  window.LiteGraph.vueNodesMode = true;
  return { node, told, host: hostOf({ canvas: { graph } }) };
}

test("widgets that are copied are shown again by folding, which the node itself does not do", () => {
  const { node, told, host } = shownNode(false);
  assert.ok(host.copiesWidgets(node));
  host.redrawWidgets(node);
  assert.deepEqual(told, [
    ["node:property:changed", "flags.collapsed", true],
    ["node:property:changed", "flags.collapsed", false],
  ]);
  assert.equal(node.flags.collapsed, false);
});

test("widgets that are watched need no folding, nor do those of the classic renderer or of another graph", () => {
  const { node, told, host } = shownNode(true);
  assert.ok(!host.copiesWidgets(node));
  host.redrawWidgets(node);
  const other = shownNode(false);
  assert.ok(!other.host.copiesWidgets({ ...other.node, graph: {} }));
  window.LiteGraph.vueNodesMode = false;
  assert.ok(!other.host.copiesWidgets(other.node));
  assert.deepEqual(told, []);
});

test("the page's language is its setting, and a change of it is heard; where there is neither, it is unknown", () => {
  const listeners = {};
  const settings = { addEventListener: (name, run) => (listeners[name] = run) };
  const setting = { get: (id) => ({ "Comfy.Locale": "zh" })[id] };
  const host = hostOf({ extensionManager: { setting }, ui: { settings } });
  assert.equal(host.locale(), "zh");
  const heard = [];
  host.onLocale((locale) => heard.push(locale));
  listeners["Comfy.Locale.change"]({ detail: { value: "ru", oldValue: "zh" } });
  assert.deepEqual(heard, ["ru"]);
  const bare = hostOf({ extensionManager: {} });
  bare.onLocale(() => {});
  assert.equal(bare.locale(), "");
});

test("the graphs are the main one and those of its subgraphs, however the page names the main one", () => {
  const inner = { nodes: [] };
  const root = { _nodes: ["a"], subgraphs: new Map([["x", inner]]) };
  for (const app of [{ rootGraph: root, graph: inner }, { graph: { rootGraph: root } }, { graph: root }])
    assert.deepEqual(graphsOf(app), [root, inner]);
  assert.deepEqual(graphsOf({}), []);
  assert.deepEqual([nodesOf(root), nodesOf({ nodes: ["b"] })], [["a"], ["b"]]);
  assert.deepEqual(
    [linkOf({ getLink: (id) => id }, 3), linkOf({ links: { 3: "c" } }, 3), linkOf({}, null)],
    [3, "c", undefined],
  );
});

test("a toast that is shown is not shown again, and of many texts the last are remembered", () => {
  const shown = [];
  const host = hostOf({ extensionManager: { toast: { add: ({ detail }) => shown.push(detail) } } });
  for (const text of ["a", "a", "b", "a"]) host.toastOnce(text);
  assert.deepEqual(shown, ["a", "b"]);
  for (let number = 0; number < 50; number += 1) host.toastOnce(`${number}`);
  host.toastOnce("49");
  assert.equal(shown.length, 52);
  host.toastOnce("a"); // it was forgotten
  assert.equal(shown.length, 53);
});
