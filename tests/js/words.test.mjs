/** The languages say the same things. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";
import { LANGUAGES, hasText, t, refreshedText, setLanguage, currentLanguage } from "../../js/words.mjs";

const FOLDER = new URL("../../js/", import.meta.url);
const { WORDS: EN } = await import("../../js/words.en.mjs");
const names = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

for (const language of Object.keys(LANGUAGES)) {
  test(`${language} has every word, and none more, with the same names in it`, async () => {
    const { WORDS } = await import(`../../js/words.${language}.mjs`);
    assert.deepEqual(Object.keys(WORDS).sort(), Object.keys(EN).sort());
    for (const [key, text] of Object.entries(WORDS)) {
      assert.ok(text.trim(), key);
      assert.deepEqual(names(text), names(EN[key]), key);
    }
  });

  test(`${language} has no key twice`, async () => {
    const text = await readFile(new URL(`words.${language}.mjs`, FOLDER), "utf8");
    const keys = [...text.matchAll(/^ {2}(\w+):/gm)].map(([, key]) => key);
    assert.equal(new Set(keys).size, keys.length);
  });
}

test("what is said exists, and every word is said somewhere", async () => {
  const files = (await readdir(FOLDER)).filter((name) => /\.m?js$/.test(name) && !/^words\.\w+\.mjs$/.test(name));
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, FOLDER), "utf8")));
  const all = texts.join("\n");
  for (const [, key] of all.matchAll(/\bt\("(\w+)"/g)) assert.ok(hasText(key), key);
  const server = await readFile(new URL("../nodes/sora_jobs/views/settings.py", FOLDER), "utf8");
  const codes = [...server.matchAll(/"code": "(\w+)"/g)].map(([, code]) => `why_${code}`);
  const whys = Object.keys(EN).filter((key) => /^why_/.test(key));
  assert.deepEqual(codes.sort(), whys.sort());
  const quote = await readFile(new URL("../nodes/sora_jobs/jobs/quote.py", FOLDER), "utf8");
  const reasons = /Unknown = Literal\[(.*)\]/
    .exec(quote)[1]
    .match(/\w+/g)
    .map((reason) => `price_unknown_${reason}`);
  assert.deepEqual(
    reasons.sort(),
    Object.keys(EN)
      .filter((key) => /^price_unknown_/.test(key))
      .sort(),
  );
  const made =
    /^(only_|level_|key_|why_|price_unknown_)|^(reserved|submitted|completed|stored|refused|unknown|failed|lost|lapsed|unwatched|forgotten)$/;
  for (const key of Object.keys(EN)) assert.ok(made.test(key) || all.includes(`"${key}"`), `nobody says ${key}`);
});

test("a language stays until another one is set; an unknown one is English", async () => {
  await setLanguage("vi");
  assert.equal(t("free"), "miễn phí");
  await setLanguage("tlh");
  assert.equal(currentLanguage(), "en");
  assert.equal(t("offer", { model: "a", seconds: "8", size: "1x1" }), "Use a, 8 s, 1x1");
});

test("a long list of models is cut", () => {
  const told = refreshedText({
    added: Array.from({ length: 15 }, (_, n) => `m${n}`),
    gone: [],
    changed: ["a"],
    doubtful: [],
  });
  assert.match(told, /m11 and 3 more\. No longer listed: none\. Other price: a\.$/);
  assert.match(refreshedText({ added: [], gone: [], changed: [], doubtful: ["b"] }), /ours are kept: b\.$/);
});

test("a key that a language lacks is English, and one that nobody has is shown as it is", async () => {
  const { WORDS } = await import("../../js/words.vi.mjs");
  const { free } = WORDS;
  delete WORDS.free;
  try {
    await setLanguage("vi");
    assert.equal(t("free"), "free");
    assert.equal(t("no_such_key", { a: 1 }), "no_such_key");
  } finally {
    WORDS.free = free;
    await setLanguage("en");
  }
});
