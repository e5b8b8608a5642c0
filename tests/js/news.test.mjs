/** Trouble is told once, whatever became of the event or of the answer. */

import assert from "node:assert/strict";
import test from "node:test";
import { News } from "../../js/news.mjs";

/** A server whose answers are given one by one, and what was told. */
function made(...answers) {
  const [asked, told] = [[], []];
  const read = async (path) => {
    asked.push(Object.fromEntries(new URLSearchParams(path.split("?")[1])));
    const answer = answers.shift() ?? { mark: "m", jobs: [] };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { news: new News(read, async (row) => told.push(row.id)), asked, told };
}

test("the first question is for what came since the page began to load, the next for what came since the answer", async () => {
  const { news, asked, told } = made({ mark: "m-2", jobs: [{ id: "a" }, { id: "b" }] }, { mark: "m-3", jobs: [] });
  await news.poll();
  await news.poll();
  assert.deepEqual(told, ["a", "b"]);
  assert.equal(asked[0].after, "");
  assert.ok(Number(asked[0].age) >= 1);
  assert.equal(asked[1].after, "m-2");
});

test("an answer that did not come is asked for again", async () => {
  const { news, asked, told } = made(new Error("away"), { mark: "m-1", jobs: [{ id: "a" }] });
  await news.poll();
  assert.ok(news.pending);
  await news.poll();
  assert.ok(!news.pending);
  assert.deepEqual([told, asked.length, asked[1].after], [["a"], 2, ""]);
});

test("what cannot be shown stays owed", async () => {
  const news = new News(
    async () => ({ mark: "m-1", jobs: [{ id: "a" }] }),
    () => Promise.reject(new Error("no module")),
  );
  await news.poll();
  assert.ok(news.pending);
});

test("an event in the middle of a question is a question of its own", async () => {
  let give;
  const asked = [];
  const news = new News(
    (path) => new Promise((resolve) => (give = resolve) && asked.push(path)),
    () => {},
  );
  const asking = news.poll();
  await news.poll();
  await news.poll();
  assert.equal(asked.length, 1);
  give({ mark: "m-1", jobs: [] });
  await new Promise(setImmediate);
  assert.equal(asked.length, 2);
  assert.ok(asked[1].includes("after=m-1"));
  give({ mark: "m-2", jobs: [] });
  await asking;
  assert.ok(!news.pending);
});
