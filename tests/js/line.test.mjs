/** Queued jobs: what a row and a badge say of the line, and that a place stays true while others leave. */

import assert from "node:assert/strict";
import test from "node:test";
import { lineText } from "../../js/badges.mjs";
import { makeCard } from "../../js/card.mjs";
import { ordinal } from "../../js/figures.mjs";
import { JobEvents, NamedJobs } from "../../js/jobs.mjs";
import { Line } from "../../js/line.mjs";
import { lineOf, noteOf, stateOf, troubleOf } from "../../js/row.mjs";
import { Store } from "../../js/store.mjs";
import { setLanguage } from "../../js/words.mjs";
import { makeDocument } from "./document.mjs";
import { NOW, ROW } from "./rows.mjs";

const settled = () => new Promise(setImmediate);
const ACTIONS = ["open", "again", "cancel"];
const QUEUED = { ...ROW, state: "queued", progress: null, expected_s: null, submitted_at: null, actions: ACTIONS };
const [A, B] = ["aaaaaaaaaa", "bbbbbbbbbb"];
const queued = (id, place) => ({ ...QUEUED, id, place });

test("a queued job says its place, and one that nobody sends says what sends it", async () => {
  const texts = (place) => [stateOf({ ...QUEUED, place }, NOW), noteOf({ ...QUEUED, place })];
  assert.deepEqual(texts(2), ["Queued, 2nd in line", ""]);
  assert.deepEqual(texts(0), ["Queued here; its program has ended", "Run the same again to send it."]);
  assert.deepEqual(texts(null), ["Queued", ""]);
  await setLanguage("vi");
  assert.equal(texts(2)[0], "Đang xếp hàng, thứ 2");
  await setLanguage("zh");
  assert.equal(texts(2)[0], "排队中，第 2 位");
  await setLanguage("en");
  assert.deepEqual(
    [1, 2, 3, 4, 11, 12, 13, 21, 102].map(ordinal).join(" "),
    "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd",
  );
});

test("a stale job says what that means; one that was cancelled is in no trouble", () => {
  const stale = { ...ROW, state: "stale", is_running: false, is_counted: false, group: "stale" };
  assert.deepEqual([stateOf({ ...stale, expected_s: null }, NOW), troubleOf(stale)], ["Stale", ""]);
  assert.match(noteOf(stale), /has not finished it/);
  const cancelled = {
    ...ROW,
    state: "refused",
    is_running: false,
    error: "It was cancelled.",
    failure: { code: "cancelled" },
  };
  assert.deepEqual([stateOf(cancelled, NOW), troubleOf(cancelled)], ["Cancelled, nothing was sent", ""]);
  const refused = { ...cancelled, failure: { code: "invalid" } };
  assert.deepEqual([stateOf(refused, NOW), troubleOf(refused)], ["Refused, not bought", "It was cancelled."]);
});

test("a queued job has no progress bar, and what its state means is no alarm", () => {
  makeDocument();
  const card = makeCard(A, { url: (path) => path, now: () => NOW }, () => {});
  card.show(queued(A, 0));
  const bar = card.element.querySelector('[role="progressbar"]');
  const note = card.element.querySelector(".sora-bad");
  assert.equal(bar.hidden, true);
  assert.deepEqual([note.textContent, note.getAttribute("data-quiet")], ["Run the same again to send it.", "true"]);
  card.show({ ...ROW, id: A, error: "slow" });
  assert.deepEqual([bar.hidden, note.textContent, note.getAttribute("data-quiet")], [false, "slow", "false"]);
});

test("a badge says the place before the price", () => {
  assert.equal(lineText(queued(A, 3), "≈ $0.64"), "Queued, 3rd in line · ≈ $0.64");
  assert.equal(lineText({ ...ROW }, "≈ $0.64"), "≈ $0.64");
  assert.deepEqual([lineText(null), lineText(undefined), lineText(queued(A, 1))], ["", "", "Queued, 1st in line"]);
});

test("places are read once for all that leave meanwhile, and again for those that leave while they are read", async () => {
  const reads = [];
  const line = new Line(() => new Promise((give, fail) => reads.push({ give, fail })));
  for (let count = 0; count < 5; count += 1) line.moveUp();
  assert.equal(reads.length, 1);
  reads[0].give();
  await settled();
  assert.equal(reads.length, 2);
  reads[1].fail(new Error("away"));
  await settled();
  line.moveUp();
  assert.equal(reads.length, 3);
});

/** A server's line, and a page that shows its jobs. */
async function opened() {
  const served = { jobs: [queued(B, 2), queued(A, 1)], places: { [A]: 1, [B]: 2 } };
  const asked = [];
  const store = new Store(async (path) => {
    asked.push(path);
    return { more: false, running: 2, ...served };
  });
  await store.reset();
  return { store, served, asked };
}

test("the places of all rows are those that were read last", async () => {
  const { store, served } = await opened();
  let told = 0;
  store.watch(() => (told += 1));
  served.places = { [B]: 1 };
  await store.line.moveUp();
  assert.deepEqual([store.row(B).place, told], [1, 1]);
  assert.equal(store.line.placed(queued(B, 2)).place, 1); // a response that knew the line as it was
});

test("a response that is older than the last one moves nobody back", async () => {
  const answers = [];
  const store = new Store(() => new Promise((give) => answers.push(give)));
  const [early] = [store.reset()];
  store.onJobEvent({ ...ROW, id: A, state: "submitted" }, "queued", true);
  const late = store.count();
  answers[1]({ jobs: [], more: false, running: 2, places: { [B]: 1 } });
  await late;
  answers[0]({ jobs: [queued(B, 2)], more: false, running: 2, places: { [A]: 1, [B]: 2 } });
  await early;
  assert.equal(store.row(B).place, 1);
});

test("whoever leaves the line has the places read again; whoever only goes on does not", async () => {
  let moved = 0;
  const rows = new Map([[A, queued(A, 1)]]);
  const store = { row: (id) => rows.get(id), onJobEvent: () => {}, line: { moveUp: () => (moved += 1) } };
  const panel = { shown: true, update: () => {} };
  const host = { get: async () => ({ job: ROW }) };
  const events = new JobEvents(host, store, { poll: () => {} }, { onJobEvent: () => {} }, () => panel);
  await events.onJobEvent({ job: queued(A, 1), was: "", was_running: false });
  await events.onJobEvent({ job: { ...ROW, id: B, state: "queued" }, was: "", was_running: false });
  await events.onJobEvent({ job: { ...ROW, id: B }, was: "reserved", was_running: true });
  assert.equal(moved, 0);
  await events.onJobEvent({ job: { ...ROW, id: B, state: "refused" }, was: "queued", was_running: true });
  await events.onJobEvent({ job: { ...ROW, id: A }, was: "", was_running: false }); // which the page knew as queued
  panel.shown = false;
  await events.onJobEvent({ job: { ...ROW, id: B }, was: "queued", was_running: true });
  assert.equal(moved, 3);
});

test("a node's badge follows the job that it bought last, from the line to the provider", async () => {
  const jobs = { [A]: queued(A, 1), [B]: queued(B, 2) };
  let badges = 0;
  const host = { get: async (path) => ({ job: jobs[path.split("/").at(-1)] }), refreshBadges: () => (badges += 1) };
  const named = new NamedJobs(host);
  const node = {};
  named.watch(node);
  const line = () => lineText(named.boughtBy(node));
  node.onExecuted({ images: [] });
  assert.equal(line(), "");
  node.onExecuted({ sora_job: [B] });
  line();
  await settled();
  assert.deepEqual([line(), lineOf(named.of(B))], ["Queued, 2nd in line", "Queued, 2nd in line"]);
  const before = badges;
  named.usePlaces({ [B]: 1 });
  assert.deepEqual([line(), badges], ["Queued, 1st in line", before + 1]);
  named.onJobEvent({ id: B, state: "submitted", place: null, progress: 1 });
  named.onJobEvent({ id: B, state: "submitted", place: null, progress: 2 });
  assert.deepEqual([line(), badges], ["", before + 2]);
  node.onExecuted({ sora_job: [A] });
  line();
  await settled();
  assert.equal(line(), "Queued, 1st in line");
  jobs[A] = { ...ROW, id: A };
  named.usePlaces({}); // it has left, and its event did not come
  await settled();
  assert.equal(line(), "");
});
