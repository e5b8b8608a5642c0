/** What an event changes, and the jobs that nodes name: nothing of it is kept for as long as the page is open. */

import assert from "node:assert/strict";
import test from "node:test";
import { JobEvents, NamedJobs } from "../../js/jobs.mjs";
import { Recent } from "../../js/recent.mjs";

const settled = () => new Promise(setImmediate);
const brief = (id, more = {}) => ({ id, state: "stored", is_running: false, in_trouble: false, aside: "", ...more });

test("what was set longest ago goes first", () => {
  const recent = new Recent(2);
  recent.set("a", 1).set("b", 2).set("a", 3).set("c", 4);
  assert.deepEqual([...recent], [["a", 3], ["c", 4]]); // prettier-ignore
});

/** A server whose answers come when they are let go, and a panel that notes what it is shown. */
function made({ shown = true, rows = new Map() } = {}) {
  const [waiting, updates, heard, polls] = [[], [], [], []];
  const host = {
    get: (path) => new Promise((give, fail) => waiting.push({ path, give, fail })),
    refreshBadges: () => {},
  };
  const store = { row: (id) => rows.get(id), onJobEvent: (job) => heard.push(job.id) };
  const panel = { shown, update: (row, was, wasRunning) => updates.push([row, was, wasRunning]) };
  const bell = { onJobEvent: () => {} };
  const events = new JobEvents(host, store, { poll: () => polls.push(1) }, bell, () => panel);
  return { events, host, store, panel, waiting, updates, heard, polls, rows };
}

test("a job that is known in the same state is updated from the event; another is read", async () => {
  const rows = new Map([["a", { ...brief("a"), prompt: "boat" }]]);
  const { events, waiting, updates } = made({ rows });
  events.onJobEvent({ job: brief("a", { progress: 5 }), was: "stored", was_running: false });
  assert.deepEqual(updates, [[{ ...brief("a"), prompt: "boat", progress: 5 }, "stored", false]]);
  events.onJobEvent({ job: brief("b"), was: "submitted", was_running: true });
  assert.equal(waiting[0].path, "/sora/history/b");
  waiting[0].give({ job: { id: "b" } });
  await settled();
  assert.deepEqual(updates[1], [{ id: "b" }, "submitted", true]);
});

test("a response that is older than the last event of its job counts no more", async () => {
  const { events, waiting, updates } = made();
  events.onJobEvent({ job: brief("a", { state: "submitted" }), was: "" });
  events.onJobEvent({ job: brief("a"), was: "submitted", was_running: true });
  waiting[1].give({ job: { id: "a", number: 2 } });
  await settled();
  waiting[0].give({ job: { id: "a", number: 1 } });
  await settled();
  assert.deepEqual(updates, [[{ id: "a", number: 2 }, "submitted", true]]);
});

test("of events nothing is kept once what they asked for is there, or failed", async () => {
  const { events, waiting } = made();
  for (let number = 0; number < 50; number += 1) events.onJobEvent({ job: brief(`job${number}`), was: "" });
  assert.equal(events.size, 50);
  for (const [at, { give, fail }] of waiting.entries()) at % 2 ? give({ job: {} }) : fail(new Error("away"));
  await settled();
  assert.equal(events.size, 0);
});

test("without the tab an event is only counted, and trouble is asked for", () => {
  const { events, waiting, heard, polls } = made({ shown: false });
  events.onJobEvent({ job: brief("a", { state: "failed", in_trouble: true }), was: "submitted" });
  assert.deepEqual([waiting.length, heard, polls.length, events.size], [0, ["a"], 1, 0]);
});

test("a job that a node names is read once, and of many the last are remembered", async () => {
  const { host, store, waiting } = made();
  const named = new NamedJobs(host, store);
  const idOf = (number) => String(number).padStart(10, "0");
  for (let look = 0; look < 3; look += 1) assert.ok(!named.of(idOf(1)));
  assert.equal(waiting.length, 1);
  waiting[0].give({ job: { id: idOf(1) } });
  await settled();
  assert.deepEqual([named.of(idOf(1)), named.of("not an id")], [{ id: idOf(1) }, undefined]);
  for (let number = 2; number < 900; number += 1) named.of(idOf(number));
  assert.equal(named.size, 500);
});
