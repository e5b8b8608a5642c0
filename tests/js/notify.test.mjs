/** A notification comes once a job is done, to who wants it and looks elsewhere, and says little. */

import assert from "node:assert/strict";
import test from "node:test";
import { Bell, beginningOf } from "../../js/notify.mjs";
import { LANGUAGES, t, setLanguage } from "../../js/words.mjs";

const NOW = Date.now() / 1000;
const ROW = { id: "0123456789", state: "stored", prompt: "a paper boat", stored_at: NOW };

/** A bell in a window like a browser's; `answer` is what a person says when asked for the permission. */
function made({ permission = "default", answer = "granted", secure = true, hidden = true, focus = false } = {}) {
  const kept = new Map();
  const seen = { asked: 0, shown: [], opened: [], focused: 0, closed: 0, read: [] };
  class Notification {
    static permission = permission;
    static requestPermission() {
      seen.asked += 1;
      Notification.permission = answer;
      return Promise.resolve(answer);
    }
    constructor(title, given) {
      seen.shown.push({ title, ...given });
      seen.last = this;
    }
    close() {
      seen.closed += 1;
    }
  }
  const page = {
    isSecureContext: secure,
    Notification,
    document: { hidden, hasFocus: () => focus },
    focus: () => (seen.focused += 1),
    localStorage: {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
    },
  };
  const read = async (id) => {
    seen.read.push(id);
    return { ...ROW, id };
  };
  const bell = new Bell(
    read,
    (id) => seen.opened.push(id),
    () => NOW,
    page,
  );
  return { bell, page, seen, kept, Notification };
}

async function switchedOn(more) {
  const all = made(more);
  await all.bell.switchTo(true);
  assert.ok(all.bell.on);
  return all;
}

test("it is off at first, and nothing is asked before it is switched on", async () => {
  const { bell, seen } = made({ permission: "granted" });
  assert.equal(bell.on, false);
  await bell.onJobEvent(ROW, "submitted", true);
  bell.notify(ROW);
  assert.deepEqual([seen.asked, seen.shown, seen.read], [0, [], []]);
});

test("the permission is asked for within the click, before anything is awaited", () => {
  const { bell, seen } = made();
  bell.switchTo(true);
  assert.equal(seen.asked, 1);
});

test("it is remembered by the browser, until it is switched off", async () => {
  const { bell, page, kept, seen } = await switchedOn();
  assert.ok(new Bell(null, null, null, page).on);
  await bell.switchTo(false);
  assert.deepEqual([new Bell(null, null, null, page).on, kept.size, seen.asked], [false, 0, 1]);
});

for (const answer of ["denied", "default"])
  test(`without the permission (${answer}) it stays off`, async () => {
    const { bell, kept } = made({ answer });
    await bell.switchTo(true);
    assert.deepEqual([bell.on, kept.size, bell.hindrance], [false, 0, answer === "denied" ? "denied" : ""]);
  });

test("what the browser blocked is not asked for again", async () => {
  const { bell, seen } = made({ permission: "denied" });
  await bell.switchTo(true);
  assert.deepEqual([bell.on, bell.hindrance, seen.asked], [false, "denied", 0]);
});

test("over http from another machine, and without notifications, nothing is asked", async () => {
  const { bell, seen } = made({ secure: false });
  await bell.switchTo(true);
  assert.deepEqual([bell.on, bell.hindrance, seen.asked], [false, "insecure", 0]);
  const other = made();
  delete other.page.Notification;
  await other.bell.switchTo(true);
  other.bell.notify(ROW);
  assert.deepEqual([other.bell.on, other.bell.hindrance], [false, "unsupported"]);
});

test("a permission that was taken back switches it off", async () => {
  const { bell, Notification } = await switchedOn();
  Notification.permission = "denied";
  assert.deepEqual([bell.on, bell.hindrance], [false, "denied"]);
});

test("a page without storage stays off, and nothing breaks", async () => {
  const { bell, page } = made();
  Object.defineProperty(page, "localStorage", {
    get() {
      throw new Error("SecurityError");
    },
  });
  await bell.switchTo(true);
  assert.equal(bell.on, false);
});

for (const [hidden, focus, told] of [
  [true, false, 1],
  [false, false, 1],
  [true, true, 1],
  [false, true, 0],
])
  test(`hidden ${hidden}, focused ${focus}: ${told} told`, async () => {
    const { bell, seen } = await switchedOn({ hidden, focus });
    await bell.onJobEvent(ROW, "completed", true);
    bell.notify({ ...ROW, state: "failed" });
    assert.deepEqual([seen.shown.length, seen.read.length], [2 * told, told]);
  });

test("a page that is looked at while the row is read gets none", async () => {
  const { bell, page, seen } = await switchedOn();
  const hearing = bell.onJobEvent(ROW, "completed", true);
  Object.assign(page.document, { hidden: false, hasFocus: () => true });
  await hearing;
  assert.deepEqual([seen.read.length, seen.shown], [1, []]);
});

test("only a job that was on its way and is there now is told", async () => {
  const { bell, seen } = await switchedOn();
  for (const [state, was, wasRunning] of [
    ["submitted", "reserved", true],
    ["completed", "submitted", true],
    ["stored", "stored", false],
    ["stored", "failed", false],
    ["failed", "submitted", true],
  ])
    await bell.onJobEvent({ ...ROW, state }, was, wasRunning);
  assert.deepEqual(seen.read, []);
  for (const was of ["reserved", "submitted", "completed"]) await bell.onJobEvent(ROW, was, true);
  assert.equal(seen.shown.length, 3);
});

test("of a job that is new to the server only one that was just stored is told", async () => {
  let row = { ...ROW, stored_at: NOW - 3600 };
  const { page, seen } = await switchedOn();
  const bell = new Bell(
    async () => row,
    () => {},
    () => NOW,
    page,
  );
  await bell.onJobEvent(ROW, "", false);
  assert.equal(seen.shown.length, 0);
  row = ROW;
  await bell.onJobEvent(ROW, "", false);
  assert.equal(seen.shown.length, 1);
});

test("a row that cannot be read is not told", async () => {
  const { page, seen } = await switchedOn();
  await new Bell(() => Promise.reject(new Error("away")), null, null, page).onJobEvent(ROW, "completed", true);
  assert.deepEqual(seen.shown, []);
});

test("one job has one tag, so that two pages show one notification", async () => {
  const { bell, seen } = await switchedOn();
  bell.notify(ROW);
  bell.notify({ ...ROW, id: "abcdefghij" });
  bell.notify(ROW);
  const [first, second, third] = seen.shown.map(({ tag }) => tag);
  assert.equal(first, third);
  assert.notEqual(first, second);
});

test("a click brings the window to the front and opens the job", async () => {
  const { bell, seen } = await switchedOn();
  bell.notify(ROW);
  seen.last.onclick();
  assert.deepEqual([seen.focused, seen.opened, seen.closed], [1, ["0123456789"], 1]);
});

test("a browser that throws at it (Android) breaks nothing", async () => {
  const { bell, page } = await switchedOn();
  page.Notification = class {
    static permission = "granted";
    constructor() {
      throw new TypeError("Illegal constructor");
    }
  };
  bell.notify(ROW);
  await bell.onJobEvent(ROW, "completed", true);
});

for (const language of Object.keys(LANGUAGES))
  test(`a finished job and a failed one have other words, in ${language}`, async () => {
    await setLanguage(language);
    const { bell, seen } = await switchedOn();
    bell.notify(ROW);
    bell.notify({ ...ROW, state: "failed", error: "https://x.example/secret", file: { filename: "x.mp4" } });
    const [done, failed] = seen.shown;
    assert.deepEqual([done.title, done.body, done.lang], [t("notify_done"), "a paper boat", language]);
    assert.ok(failed.title.includes(t("failed")) && failed.title !== done.title);
    assert.ok(!JSON.stringify(seen.shown).match(/example|mp4/));
    await setLanguage("en");
  });

test("no more than 60 characters of a prompt, and no address in it", () => {
  const long = beginningOf("🎬".repeat(100));
  assert.deepEqual([[...long].length, long.endsWith("…")], [60, true]);
  assert.equal([...beginningOf("x".repeat(60))].join(""), "x".repeat(60));
  for (const url of [
    "https://cdn.example.com/a?sig=1",
    "HTTP://10.0.0.1/x",
    "www.example.com",
    "cdn.example.com/a?sig=1",
    "s3://bucket/key",
    "file:///home/me",
    "localhost.localdomain:8188/x",
  ]) {
    const told = beginningOf(`like ${url} at\nnight`);
    assert.ok(/^like …? ?.*at night$/.test(told) && !/example|10\.0|bucket|home|8188|sig/.test(told), told);
  }
  assert.equal(beginningOf("a boat. The end"), "a boat. The end");
});
