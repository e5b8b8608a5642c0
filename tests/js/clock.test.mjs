/** The server's times are compared with the server's clock, and not with the browser's, which may be minutes off. */

import assert from "node:assert/strict";
import test from "node:test";
import { actionsOf } from "../../js/actions.mjs";
import { makeCard } from "../../js/card.mjs";
import { Detail } from "../../js/detail.mjs";
import { makeHost } from "../../js/host.mjs";
import { Bell } from "../../js/notify.mjs";
import { makeDocument } from "./document.mjs";
import { ROW } from "./rows.mjs";

makeDocument();
const OFF_S = 120;
const FRESH_S = 120; // of js/notify.mjs

/** A host after its first response, at a server whose clock is so many seconds ahead of the browser's. */
async function hostAt(ahead_s) {
  const serverNow = () => Date.now() / 1000 + ahead_s;
  const job = () => ({ ...ROW, state: "submitted", submitted_at: serverNow() - 60, created_at: serverNow() - 61 });
  const body = () => ({ job: job(), parent: null, children: [], now: serverNow() });
  const api = { apiURL: (path) => path, fetchApi: async () => ({ ok: true, status: 200, json: async () => body() }) };
  const toasts = [];
  const app = { extensionManager: { toast: { add: ({ detail }) => toasts.push(detail) } } };
  const host = makeHost(app, api);
  await host.get("/sora/history/1");
  return { host, serverNow, job, body, toasts };
}

/** What a bell reads tells of a job that is new to the server and was stored so many seconds ago. */
async function shown({ host, serverNow }, age_s) {
  const titles = [];
  class Notification {
    static permission = "granted";
    constructor(title) {
      titles.push(title);
    }
  }
  const page = {
    isSecureContext: true,
    Notification,
    document: { hidden: true, hasFocus: () => false },
    localStorage: { getItem: () => "on" },
  };
  const row = { ...ROW, state: "stored", stored_at: serverNow() - age_s };
  await new Bell(async () => row, () => {}, host.now, page).onJobEvent(row, "", false); // prettier-ignore
  return titles.length;
}

for (const ahead_s of [OFF_S, -OFF_S]) {
  const where = `the server is ${ahead_s} s ahead`;

  test(`${where}: its time is known after the first response`, async () => {
    const { host, serverNow } = await hostAt(ahead_s);
    assert.ok(Math.abs(host.now() - serverNow()) < 1, `${host.now() - serverNow()}`);
  });

  test(`${where}: a video that was just stored is notified of, an old one is not`, async () => {
    const server = await hostAt(ahead_s);
    assert.deepEqual([await shown(server, 1), await shown(server, FRESH_S + 1)], [1, 0]);
  });

  test(`${where}: a card says the time that is left, and the age`, async () => {
    const { host, job } = await hostAt(ahead_s);
    const card = makeCard(ROW.id, host, () => {});
    card.show(job());
    assert.match(card.element.textContent, /about 40 sec left/);
    assert.match(card.element.textContent, /1m ago/);
  });

  test(`${where}: so does a job in full, and what is said after asking again`, async () => {
    const { host, job, body, toasts } = await hostAt(ahead_s);
    const view = { open: () => {}, back: () => {}, changed: () => {} };
    const detail = new Detail(body(), host, view);
    assert.match(detail.element.querySelector("h2").textContent, /about 40 sec left/);
    const buttons = actionsOf({ ...job(), state: "failed", actions: ["ask"] }, host, view).filter(Boolean);
    buttons.find((button) => button.getAttribute("data-key") === "ask").click();
    await new Promise(setImmediate);
    assert.match(toasts[0], /about 40 sec left/);
  });
}

test("what may be done with a job is what the server says, in its order", async () => {
  const { host, job } = await hostAt(0);
  const keysOf = (more) =>
    actionsOf({ ...job(), ...more }, host, {})
      .filter(Boolean)
      .map((button) => button.getAttribute("data-key"));
  assert.deepEqual(keysOf({ actions: [] }), []);
  assert.deepEqual(keysOf({ actions: ["reconcile", "open", "archive"], state: "stored" }), ["add", "forget"]);
  const all = ["frames", "open", "remix", "nearest", "ask", "again", "unwatch", "watch", "restore", "archive"];
  const keys = ["load_frames", "add", "remix", "pick_nearest", "ask", "again", "unwatch", "watch", "show", "forget"];
  assert.deepEqual(keysOf({ actions: all }), keys);
});

test("before the first response the browser's clock has to do", () => {
  assert.ok(Math.abs(makeHost({}, {}).now() - Date.now() / 1000) < 1);
});
