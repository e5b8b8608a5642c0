/** Prices are asked for at a pace, and a late answer is not taken for another question's. */

import assert from "node:assert/strict";
import test from "node:test";
import { Quotes } from "../../js/quotes.mjs";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Quotes with a clock that is turned by hand, and answers that come when they are told to. */
function bench() {
  const [asked, later] = [[], []];
  const clock = { now: 0, changes: 0 };
  const answer = (wanted) => new Promise((resolve, reject) => asked.push({ wanted, resolve, reject, at: clock.now }));
  const quotes = new Quotes(answer, () => (clock.changes += 1), {
    now: () => clock.now,
    later: (run, ms) => later.push({ run, at: clock.now + ms }),
  });
  function turn(ms) {
    clock.now += ms;
    for (const { run } of later.filter(({ at }) => at <= clock.now)) run();
    later.splice(0, later.length, ...later.filter(({ at }) => at > clock.now));
  }
  return { quotes, asked, clock, turn, waits: () => later.length };
}

test("a quote is asked for once, and told when it is there", async () => {
  const { quotes, asked, clock, turn, waits } = bench();
  assert.equal(quotes.of("node", { a: 1 }), undefined);
  turn(0);
  for (let look = 0; look < 9; look += 1) assert.equal(quotes.of("node", { a: 1 }), undefined);
  turn(5000);
  asked[0].resolve({ usd: 0.8 });
  await settled();
  assert.equal(clock.changes, 1);
  assert.deepEqual(quotes.of("node", { a: 1 }), { usd: 0.8 });
  assert.deepEqual([asked.length, waits()], [1, 0]);
});

test("while somebody types it is asked at most every half second, and only for what stands there then", () => {
  const { quotes, asked, turn } = bench();
  for (let letter = 0; letter < 100; letter += 1) {
    quotes.of("node", { letter });
    turn(20);
  }
  turn(1000);
  const times = asked.map(({ at }) => at);
  assert.ok(times.length <= 5 && times.length >= 4, `${times}`);
  assert.ok(times.slice(1).every((at, index) => at - times[index] >= 500));
  assert.equal(asked.at(-1).wanted.letter, 99);
});

test("nodes that say the same are asked for once, others in the same round", () => {
  const { quotes, asked, turn } = bench();
  for (const node of ["a", "b", "c"]) quotes.of(node, { same: true });
  quotes.of("d", { same: false });
  turn(0);
  assert.deepEqual(
    asked.map(({ wanted }) => wanted.same),
    [true, false],
  );
});

test("an answer that comes late belongs to what was asked then", async () => {
  const { quotes, asked, turn } = bench();
  quotes.of("node", { seconds: "4" });
  turn(0);
  quotes.of("node", { seconds: "8" });
  turn(500);
  asked[1].resolve({ usd: 8 });
  await settled();
  asked[0].resolve({ usd: 4 });
  await settled();
  assert.deepEqual(quotes.of("node", { seconds: "8" }), { usd: 8 });
  assert.deepEqual(quotes.of("node", { seconds: "4" }), { usd: 4 });
});

test("what was typed back needs no question", async () => {
  const { quotes, asked, turn } = bench();
  quotes.of("node", { seconds: "4" });
  turn(0);
  asked[0].resolve({ usd: 4 });
  await settled();
  quotes.of("node", { seconds: "8" });
  quotes.of("node", { seconds: "4" });
  turn(1000);
  assert.equal(asked.length, 1);
});

test("after a change of prices all that is shown is asked for again, and an earlier answer counts no more", async () => {
  const { quotes, asked, turn } = bench();
  quotes.of("node", { a: 1 });
  turn(0);
  quotes.renew();
  quotes.of("node", { a: 1 });
  turn(500);
  assert.equal(asked.length, 2);
  asked[1].resolve({ usd: 2 });
  await settled();
  asked[0].resolve({ usd: 1 });
  await settled();
  assert.deepEqual(quotes.of("node", { a: 1 }), { usd: 2 });
  quotes.renew();
  assert.deepEqual(quotes.of("node", { a: 1 }), { usd: 2 }); // shown until the new one is there
  turn(500);
  asked[2].resolve({ usd: 3 });
  await settled();
  assert.deepEqual(quotes.of("node", { a: 1 }), { usd: 3 });
});

test("what cannot be bought has no price, and is not asked for over and over", async () => {
  const { quotes, asked, turn } = bench();
  quotes.of("node", { seconds: "5" });
  turn(0);
  asked[0].reject(new Error("sora-2 does not make 5 s."));
  await settled();
  assert.deepEqual(quotes.of("node", { seconds: "5" }), {});
  turn(5000);
  assert.equal(asked.length, 1);
});
