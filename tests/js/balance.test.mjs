/** A balance in words: what is left, of what, when it was asked, and what to think of. */

import assert from "node:assert/strict";
import test from "node:test";
import { balanceText, shortText } from "../../js/balance.mjs";
import { LANGUAGES, setLanguage } from "../../js/words.mjs";

const TOLD = {
  of: "key",
  left_usd: 12.25,
  used_usd: 1.25,
  unlimited: false,
  asked_at: 1_796_000_000,
  next_usd: 5,
  next_by: "cap",
  short: false,
};

test("it says of what, the two sums, and the time", () => {
  const text = balanceText(TOLD);
  assert.match(text, /^This key: \$12\.25 left · \$1\.25 used · asked .*2026/);
  assert.match(balanceText({ ...TOLD, of: "account" }), /^The account: /);
});

test("no limit is no sum, what is unknown is left out, and less than nothing has its sign in front", () => {
  assert.match(balanceText({ ...TOLD, left_usd: null, unlimited: true }), /^This key: no limit · \$1\.25 used/);
  assert.ok(!balanceText({ ...TOLD, used_usd: null }).includes("used"));
  assert.match(balanceText({ ...TOLD, left_usd: null }), /^This key: \$1\.25 used/);
  assert.match(balanceText({ ...TOLD, left_usd: -0.5 }), /: -\$0\.50 left/);
  assert.match(balanceText({ ...TOLD, left_usd: 0 }), /: \$0\.00 left/);
});

test("a warning says what it was compared with", () => {
  assert.equal(shortText(TOLD), "");
  assert.match(shortText({ ...TOLD, short: true }), /A job may cost up to \$5\.00/);
  assert.match(shortText({ ...TOLD, short: true, next_by: "last_job", next_usd: 0.8 }), /last job cost about \$0\.80/);
});

for (const language of Object.keys(LANGUAGES))
  test(`all of it is there in ${language}`, async () => {
    await setLanguage(language);
    for (const told of [TOLD, { ...TOLD, of: "account", unlimited: true, left_usd: null }])
      assert.ok(!/undefined|null|NaN|\{/.test(balanceText(told) + shortText({ ...told, short: true })));
    await setLanguage("en");
  });
