/** Differences, rectangles, memory and dropped files: plain values in, plain values out. */

import assert from "node:assert/strict";
import test from "node:test";
import { diff } from "../../js/diff.mjs";
import { jobOf } from "../../js/drop.mjs";
import { fitted, sides } from "../../js/fit.mjs";
import { memoryOf } from "../../js/memory.mjs";

test("a difference is told in words", () => {
  assert.deepEqual(diff("a red boat", "a blue boat"), [
    [" ", "a "],
    ["-", "red"],
    ["+", "blue"],
    [" ", " boat"],
  ]);
  assert.deepEqual(diff("boat", "boat"), [[" ", "boat"]]);
  assert.deepEqual(diff("", "boat"), [["+", "boat"]]);
  assert.deepEqual(diff("", ""), []);
});

test("both texts can be read off a difference", () => {
  const [before, after] = ["Một con thuyền, ở biển.\n海上的船", "Hai con thuyền ở hồ.\n湖上的船!"];
  const side = (sign) =>
    diff(before, after)
      .filter(([one]) => one !== sign)
      .map(([, text]) => text)
      .join("");
  assert.equal(side("+"), before);
  assert.equal(side("-"), after);
});

test("texts that are too long for a table are shown one after the other", () => {
  const long = "word ".repeat(5000);
  assert.deepEqual(diff(long, `${long}!`), [
    ["-", long],
    ["+", `${long}!`],
  ]);
});

const RECTANGLES = [
  [[1920, 1080, [1280, 720], "crop"], { from: [0, 0, 1920, 1080], to: [0, 0, 1280, 720] }],
  [[1000, 1000, [1280, 720], "crop"], { from: [0, 218, 1000, 563], to: [0, 0, 1280, 720] }],
  [[1000, 1000, [1280, 720], "pad"], { from: [0, 0, 1000, 1000], to: [280, 0, 720, 720] }],
  [[1000, 1000, [1280, 720], "stretch"], { from: [0, 0, 1000, 1000], to: [0, 0, 1280, 720] }],
  [[500, 2000, [720, 1280], "pad"], { from: [0, 0, 500, 2000], to: [200, 0, 320, 1280] }],
];
for (const [given, wanted] of RECTANGLES)
  test(`${given} is fitted as the engine does`, () => assert.deepEqual(fitted(...given), wanted));

test("a size is two whole numbers", () => {
  assert.deepEqual(sides("1280x720"), [1280, 720]);
  for (const none of ["", "720p", "0x720", undefined, "1280x720x3"]) assert.equal(sides(none), undefined);
});

const AS_IT_IS = {
  force_rate: 0,
  frame_load_cap: 0,
  skip_first_frames: 0,
  select_every_nth: 1,
  custom_width: 0,
  custom_height: 0,
};
const FRAME = 12 * 1280 * 720;
const NEEDS = [
  [{}, 192 * FRAME],
  [{ frame_load_cap: 10 }, 10 * FRAME],
  [{ select_every_nth: 2 }, 96 * FRAME],
  [{ skip_first_frames: 190 }, 2 * FRAME],
  [{ skip_first_frames: -1 }, FRAME],
  [{ skip_first_frames: 500 }, 0],
  [{ force_rate: 12 }, 96 * FRAME],
  [{ custom_width: 640 }, 48 * FRAME],
  [{ custom_height: 360 }, 48 * FRAME],
  [{ custom_width: 100, custom_height: 100 }, 192 * 12 * 100 * 100],
];
for (const [settings, wanted] of NEEDS) {
  test(`memory of 8 s with ${JSON.stringify(settings)}`, () => {
    assert.equal(memoryOf({ seconds: "8", size: "1280x720" }, { ...AS_IT_IS, ...settings }), wanted);
  });
}

test("memory is not guessed", () => {
  assert.equal(memoryOf({ seconds: "", size: "1280x720" }, AS_IT_IS), undefined);
  assert.equal(memoryOf({ seconds: "8", size: "" }, AS_IT_IS), undefined);
});

const FILE = { name: "2026-11-26_abcdefghjk.mp4", arrayBuffer: async () => new TextEncoder().encode("abc").buffer };
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const answers = (known) => async (path) => {
  if (path in known) return { job: { id: known[path] } };
  throw new Error("404");
};

test("a dropped file's job is found by what is in it, else by its name", async () => {
  assert.equal(await jobOf(FILE, answers({ [`/sora/of_file/${ABC}`]: "one" })), "one");
  assert.equal(await jobOf(FILE, answers({ "/sora/history/abcdefghjk": "two" })), "two");
  assert.equal(await jobOf(FILE, answers({ "/sora/history/abcdefghjk": "two" }), null), "two"); // no crypto over http
  assert.equal(await jobOf(FILE, answers({})), "");
  assert.equal(await jobOf({ ...FILE, name: "x.mp4" }, answers({})), "");
});

test("a file that cannot be read whole is found by its name", async () => {
  const large = { ...FILE, arrayBuffer: () => Promise.reject(new RangeError("too large")) };
  assert.equal(await jobOf(large, answers({ "/sora/history/abcdefghjk": "two" })), "two");
});
