/** The chart of costs: what is stacked, where the marks of its axis are, and what there is room for. */

import assert from "node:assert/strict";
import test from "node:test";
import { amountsOf, labelOf, marks, plotted, stack } from "../../js/plot.mjs";

const ROW = { name: "2026-11-30", usd: 3, charged_usd: 1.25, estimated_usd: 9, uncertain_usd: 0.5, failed_usd: 0 };

test("a bar is what was charged, then the estimates of the rest, then what stands apart", () => {
  assert.deepEqual(amountsOf(ROW), { charged: 1.25, estimated: 1.75, uncertain: 0.5, failed: 0 });
  assert.deepEqual(stack(ROW), [
    { kind: "charged", from: 0, to: 1.25 },
    { kind: "estimated", from: 1.25, to: 3 },
    { kind: "uncertain", from: 3, to: 3.5 },
  ]);
  assert.deepEqual(stack({ ...ROW, usd: 0, charged_usd: 0, uncertain_usd: 0 }), []);
});

test("more charged than the rounded sum is no negative estimate", () => {
  assert.equal(amountsOf({ ...ROW, usd: 1.249999 }).estimated, 0);
});

test("the axis begins at 0, ends above the highest bar, and has round steps", () => {
  assert.deepEqual(marks(0), [0, 1]);
  assert.deepEqual(marks(NaN), [0, 1]);
  assert.deepEqual(marks(3.84), [0, 1, 2, 3, 4]);
  assert.deepEqual(marks(0.03), [0, 0.01, 0.02, 0.03]);
  assert.deepEqual(marks(20), [0, 5, 10, 15, 20]);
  for (const most of [0.0004, 0.7, 1, 5, 9.99, 11, 99, 101, 12_345]) {
    const scale = marks(most);
    assert.ok(scale.at(-1) >= most && scale.at(-2) < most, `${most}: ${scale}`);
    assert.ok(scale.length <= 6, `${most}: ${scale}`);
  }
});

test("of too many days the latest are drawn, of too many names the first", () => {
  const rows = Array.from({ length: 400 }, (_, at) => at);
  assert.equal(plotted(rows, true).at(-1), 399);
  assert.ok(plotted(rows, true).length < 100);
  assert.equal(plotted(rows, false)[0], 0);
  assert.ok(plotted(rows, false).length < 30);
});

test("below a bar a day has no year, and a week neither", () => {
  assert.equal(labelOf("2026-11-30"), "11-30");
  assert.equal(labelOf("2026-W48"), "W48");
});
