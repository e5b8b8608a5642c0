/** A job's row in words. */

import assert from "node:assert/strict";
import test from "node:test";
import { ago, bytes, dollars, price, seconds, span } from "../../js/figures.mjs";
import { factsOf, jobInName, matches, priceAndAge, secondsLeft, stateOf, troubleOf } from "../../js/row.mjs";
import { setLanguage } from "../../js/words.mjs";
import { NOW, ROW } from "./rows.mjs";

test("a running job says how far it is and how long it will take", () => {
  assert.equal(stateOf(ROW, NOW), "Rendering 40 % · about 40 sec left");
  assert.equal(stateOf({ ...ROW, progress: null }, NOW), "Rendering · about 40 sec left");
  assert.equal(stateOf(ROW, NOW + 300), "Rendering 40 % · longer than usual");
  assert.equal(stateOf({ ...ROW, expected_s: null }, NOW), "Rendering 40 %");
});

test("an ended or unwatched job says no time", () => {
  assert.equal(secondsLeft({ ...ROW, state: "stored", is_running: false }, NOW), null);
  assert.equal(stateOf({ ...ROW, state: "stored", is_running: false }, NOW), "Finished");
  assert.equal(stateOf({ ...ROW, expected_s: null, aside: "unwatched" }, NOW), "Rendering 40 % · not watched");
  assert.equal(stateOf({ ...ROW, state: "brand new state", is_running: false }, NOW), "brand new state");
});

test("facts leave out what nobody knows", () => {
  assert.equal(factsOf(ROW), "sora-2 · 8 sec · 1280×720 · cometapi");
  assert.equal(factsOf({ ...ROW, seconds: "", size: "", model: "" }), "cometapi");
});

test("price and age", () => {
  assert.equal(priceAndAge(ROW, NOW), "≈ $0.80 · 1m ago");
  assert.equal(priceAndAge({ ...ROW, state: "refused" }, NOW), "1m ago"); // nothing was bought
  assert.equal(priceAndAge({ ...ROW, kind: "opened", estimated_usd: null }, NOW), "1m ago");
  assert.equal(price(0), "free");
  assert.equal(price(null), "price unknown");
  assert.equal(dollars(0.004), "$0.004");
});

test("a finished job whose file is gone says so", () => {
  const stored = { ...ROW, state: "stored", is_running: false, file: { filename: "a.mp4" } };
  assert.equal(troubleOf(stored), "");
  assert.match(troubleOf({ ...stored, file: null }), /not here any more/);
  assert.equal(troubleOf({ ...stored, file: null, error: "worse" }), "worse");
});

test("figures in other languages", async () => {
  await setLanguage("vi");
  assert.equal(span(120), "2 phút");
  await setLanguage("zh");
  assert.match(ago(7200), /2小时前/);
  assert.match(stateOf(ROW, NOW), /^生成中 40 % · 约剩 40秒$/);
  await setLanguage("en");
});

test("figures are rounded as people do", () => {
  assert.deepEqual([0, 59.6, 90, 5400, 86_400 * 40].map(span), ["0 sec", "1 min", "2 min", "2 hr", "1 mth"]);
  assert.deepEqual([12, 2048, 1.25 * 2 ** 30, 15 * 2 ** 20].map(bytes), ["12 B", "2.0 KiB", "1.3 GiB", "15 MiB"]);
});

const BELONGS = [
  [{ state: "", search: "" }, {}, true],
  [{ state: "", search: "" }, { group: "forgotten" }, false],
  [{ state: "forgotten", search: "" }, { group: "forgotten" }, true],
  [{ state: "forgotten", search: "" }, {}, false],
  [{ state: "running", search: "" }, {}, true],
  [{ state: "running", search: "" }, { group: "stored" }, false],
  [{ state: "failed", search: "" }, {}, false],
  [{ state: "", search: "BOAT " }, {}, true],
  [{ state: "", search: "video_1" }, {}, true],
  [{ state: "", search: "car" }, {}, false],
];
for (const [filter, more, whether] of BELONGS) {
  test(`${JSON.stringify(filter)} ${whether ? "has" : "has not"} ${JSON.stringify(more)}`, () => {
    assert.equal(matches({ ...ROW, ...more }, filter), whether);
  });
}

test("a file's name tells its job, also as browsers and systems number copies", () => {
  assert.equal(jobInName("2026-11-26_abcdefghjk.mp4"), "abcdefghjk");
  assert.equal(jobInName("2026-11-26_abcdefghjk (1).MP4"), "abcdefghjk");
  assert.equal(jobInName("holiday.mp4"), "");
  assert.equal(jobInName("boat_00001_.mp4"), "");
});

test("a sum of seconds is not rounded to minutes", () => {
  assert.equal(seconds(280), "280 sec");
  assert.equal(seconds(12_000), "12,000 sec");
});
