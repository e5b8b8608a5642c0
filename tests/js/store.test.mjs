/** The list's rows: pages, events, and what became of an earlier filter's answer. */

import assert from "node:assert/strict";
import test from "node:test";
import { Store } from "../../js/store.mjs";

const row = (number, more = {}) => ({
  id: `job${String(number).padStart(5, "0")}`,
  state: "stored",
  is_running: false,
  is_counted: false,
  group: "stored",
  aside: "",
  prompt: `boat ${number}`,
  video_id: "",
  created_at: number,
  ...more,
});

const RUNNING = { state: "submitted", is_running: true, is_counted: true, group: "running" };
const ARCHIVED = { aside: "forgotten", group: "forgotten" };

/** A server with so many jobs, the highest number newest. */
function serve(count) {
  const asked = [];
  const rows = Array.from({ length: count }, (_, at) => row(count - at));
  const read = async (path) => {
    const query = new URLSearchParams(path.split("?")[1]);
    asked.push(path);
    const one = /history\/(\w+)$/.exec(path)?.[1];
    if (one) return { job: rows.find(({ id }) => id === one) ?? assert.fail("no such job") };
    const from = query.get("after") ? rows.findIndex(({ id }) => id === query.get("after")) + 1 : 0;
    const jobs = rows.slice(from, from + Number(query.get("limit")));
    return { jobs, more: from + jobs.length < rows.length, running: 2 };
  };
  return { read, rows, asked };
}

async function opened(count, change = () => {}) {
  const server = serve(count);
  change(server.rows);
  const store = new Store(server.read);
  await store.reset();
  return { store, ...server };
}

test("pages follow each other to the end", async () => {
  const { store } = await opened(150);
  assert.deepEqual([store.ids.length, store.more, store.running], [60, true, 2]);
  await store.next();
  await store.next();
  await store.next();
  assert.deepEqual([store.ids.length, store.more], [150, false]);
  assert.equal(new Set(store.ids).size, 150);
});

test("one page at a time", async () => {
  const { store, asked } = await opened(150);
  await Promise.all([store.next(), store.next()]);
  assert.equal(asked.length, 2);
});

test("an event changes its row in place, and says which", async () => {
  const { store } = await opened(3);
  const told = [];
  const unwatch = store.watch((id) => told.push(id));
  store.update(row(2, { prompt: "other" }), "stored", false);
  assert.equal(store.row("job00002").prompt, "other");
  assert.deepEqual(told, ["job00002"]);
  unwatch();
  store.update(row(2), "stored", false);
  assert.equal(told.length, 1);
});

test("a new job comes first, and is counted while it runs", async () => {
  const { store } = await opened(3);
  store.update(row(9, RUNNING), "", false);
  assert.deepEqual([store.ids[0], store.running], ["job00009", 3]);
  store.update(row(9, { ...RUNNING, progress: 50 }), "submitted", true);
  assert.equal(store.running, 3);
  store.update(row(9, { ...RUNNING, is_counted: false, aside: "unwatched" }), "submitted", true);
  assert.equal(store.running, 2);
  store.update(row(9), "submitted", true);
  assert.equal(store.running, 2);
});

test("a job of a page that was not read yet waits for it; one that is not shown is counted all the same", async () => {
  const { store } = await opened(150);
  store.update(row(5, { prompt: "changed" }), "submitted", true);
  assert.equal(store.ids.length, 60);
  assert.equal(store.running, 1);
});

test("a job that no longer belongs goes", async () => {
  const { store } = await opened(3);
  store.update(row(2, ARCHIVED), "stored", false);
  assert.deepEqual(store.ids, ["job00003", "job00001"]);
});

test("a page that comes after an event brings no job twice", async () => {
  const { store } = await opened(61);
  store.more = false; // as if the event were older than all
  store.update(row(1), "stored", false);
  store.more = true;
  store.ids.splice(60, 1, "job00001");
  await store.next();
  assert.equal(store.ids.filter((id) => id === "job00001").length, 1);
});

test("the answer to an earlier search counts no more", async () => {
  const answers = [];
  const store = new Store(() => new Promise((resolve) => answers.push(resolve)));
  const [first, second] = [store.reset({ state: "", search: "a" }), store.reset({ state: "", search: "ab" })];
  answers[1]({ jobs: [row(2)], more: false, running: 0 });
  answers[0]({ jobs: [row(1)], more: false, running: 7 });
  await Promise.all([first, second]);
  assert.deepEqual([store.ids, store.running, store.loading], [["job00002"], 0, false]);
});

test("an error is told, and tried again when asked to", async () => {
  let fails = true;
  const store = new Store(async () => {
    if (fails) throw new Error("The ledger is away.");
    return { jobs: [row(1)], more: false, running: 0 };
  });
  await store.reset();
  assert.equal(store.error, "The ledger is away.");
  await store.next();
  assert.deepEqual(store.ids, []);
  fails = false;
  await store.again();
  assert.deepEqual([store.ids, store.error], [["job00001"], ""]);
});

/** A server whose next answer waits until it is let go. */
function slowly(server) {
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  return [async (path) => [await server.read(path), await gate][0], () => go()];
}

test("an answer that was asked for before an event does not undo it", async () => {
  for (const read of ["refresh", "reset", "count"]) {
    const server = serve(3);
    server.rows[0] = row(3, RUNNING);
    let answer = server.read;
    const store = new Store((path) => answer(path));
    await store.reset();
    const [slow, go] = slowly(server);
    answer = slow;
    const reading = store[read]();
    await new Promise(setImmediate); // the server has read it
    store.update(row(3), "submitted", true);
    go();
    await reading;
    assert.deepEqual([store.row("job00003").state, store.running], ["stored", 1], read);
  }
});

test("what is only heard is counted, and laid over what an earlier question brings", async () => {
  const server = serve(3);
  server.rows[0] = row(3, RUNNING);
  const [slow, go] = slowly(server);
  const store = new Store(slow);
  const reading = store.reset();
  await new Promise(setImmediate);
  const brief = { id: "job00003", state: "stored", is_running: false, is_counted: false, group: "stored", aside: "" };
  store.onJobEvent(brief, "submitted", true);
  go();
  await reading;
  assert.deepEqual([store.row("job00003").state, store.row("job00003").prompt], ["stored", "boat 3"]);
  store.onJobEvent({ ...RUNNING, id: "job00009", aside: "" }, "", false);
  assert.deepEqual([store.running, store.ids.length], [1, 3]);
});

test("what an event sent out of the list stays out of an older page", async () => {
  const server = serve(3);
  const [slow, go] = slowly(server);
  const store = new Store(slow);
  const reading = store.reset();
  await new Promise(setImmediate);
  store.update(row(2, ARCHIVED), "stored", false);
  go();
  await reading;
  assert.deepEqual(store.ids, ["job00003", "job00001"]);
});

test("a look tries again what could not be read", async () => {
  let fails = true;
  const server = serve(3);
  const store = new Store(async (path) => (fails ? assert.fail("away") : server.read(path)));
  await store.reset();
  fails = false;
  await store.refresh();
  assert.deepEqual([store.ids.length, store.error], [3, ""]);
});

test("a look asks for what it should have brought: a job below the newest, and one that left the list", async () => {
  const { store, rows, asked } = await opened(150, (all) => (all[100] = row(50, RUNNING)));
  await store.next();
  rows[100] = row(50);
  const [gone] = rows.splice(3, 1); // forgotten from a shell: the list has it no more
  const before = asked.length;
  await store.refresh();
  assert.equal(store.row("job00050").state, "stored");
  assert.deepEqual(asked.slice(before + 1).sort(), [`/sora/history/job00050`, `/sora/history/${gone.id}`]);
});

test("a look with more that is new than fits begins anew", async () => {
  const { store, rows } = await opened(150);
  rows.unshift(...Array.from({ length: 70 }, (_, at) => row(300 - at)));
  await store.refresh();
  assert.deepEqual(
    store.ids.slice(0, 60),
    rows.slice(0, 60).map(({ id }) => id),
  );
  await store.next();
  assert.deepEqual(
    store.ids,
    rows.slice(0, 120).map(({ id }) => id),
  );
});

test("an event and the answer to one's own click count once", async () => {
  const { store } = await opened(3);
  const aside = row(999, { ...RUNNING, is_counted: false, aside: "unwatched" }); // a job that no page brought
  store.filter = { state: "", search: "nothing like it" };
  store.update(aside, "submitted", true);
  store.update(aside, "submitted", true);
  assert.equal(store.running, 1);
});

test("a look brings what other processes did", async () => {
  const { store, rows } = await opened(3);
  rows.unshift(row(4));
  rows[1] = row(3, { prompt: "changed" });
  await store.refresh();
  assert.deepEqual(store.ids, ["job00004", "job00003", "job00002", "job00001"]);
  assert.equal(store.row("job00003").prompt, "changed");
});

test("of events the last are remembered, and not every job that ever had one", async () => {
  const { store } = await opened(3);
  for (let number = 0; number < 900; number += 1) store.onJobEvent(row(10_000 + number), "submitted", true);
  assert.equal(store.events, 500);
});
