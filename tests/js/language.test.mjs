/** Which language the page has. */

import assert from "node:assert/strict";
import test from "node:test";
import { chooseLanguage, chosenLanguage, languageOf } from "../../js/language.mjs";

for (const [chosen, locale, language] of [
  ["", "en", "en"],
  ["", "zh", "zh"],
  ["", "zh-TW", "zh"],
  ["", "ru", "en"],
  ["", "", "en"],
  ["vi", "zh", "vi"],
  ["en", "zh", "en"],
  ["tlh", "zh", "zh"],
  ["constructor", "toString", "en"],
])
  test(`chosen ${chosen || "none"}, ComfyUI's ${locale || "unknown"}: ${language}`, () => {
    assert.equal(languageOf(chosen, locale), language);
  });

test("what was chosen is kept in this browser, until ComfyUI's is wanted again", () => {
  const kept = new Map();
  const localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  globalThis.window = { localStorage };
  assert.equal(chosenLanguage(), "");
  chooseLanguage("vi");
  assert.equal(chosenLanguage(), "vi");
  chooseLanguage("");
  assert.deepEqual([chosenLanguage(), kept.size], ["", 0]);
});

test("a browser that keeps nothing has ComfyUI's", () => {
  globalThis.window = {
    get localStorage() {
      throw new Error("denied");
    },
  };
  chooseLanguage("vi");
  assert.equal(chosenLanguage(), "");
});
