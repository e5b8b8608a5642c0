/** sora.js, as ComfyUI's page loads it: what it registers says its texts in the language of the moment. */

import assert from "node:assert/strict";
import { register } from "node:module";
import test from "node:test";
import { LANGUAGES, setLanguage, t } from "../../js/words.mjs";
import { makeDocument } from "./document.mjs";

const HOOKS = `export async function resolve(specifier, context, next) {
  const [, name] = /scripts\\/(app|api)\\.js$/.exec(specifier) ?? [];
  if (name) return { shortCircuit: true, url: "data:text/javascript,export const " + name + " = globalThis.page." + name };
  const found = await next(specifier, context);
  return found.url.endsWith("/js/sora.js") ? { ...found, format: "module" } : found;
}`;

const extensions = [];
makeDocument();
globalThis.window = {};
globalThis.page = { app: { registerExtension: (extension) => extensions.push(extension) }, api: {} };
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
await import("../../js/sora.js");

for (const language of Object.keys(LANGUAGES))
  test(`the setting and the commands are in ${language} once that is known`, async () => {
    await setLanguage(language);
    const [{ settings, commands }] = extensions;
    assert.equal(settings[0].tooltip, t("settings_why"));
    assert.equal(settings[0].type().textContent, t("open_settings"));
    assert.deepEqual(commands.map(({ label }) => label()), ["refresh", "convert", "show_settings"].map((key) => t(key))); // prettier-ignore
    await setLanguage("en");
  });

test("the languages are not the same, so that the test above tells them apart", async () => {
  const texts = new Set();
  for (const language of Object.keys(LANGUAGES)) {
    await setLanguage(language);
    texts.add(extensions[0].settings[0].tooltip);
  }
  await setLanguage("en");
  assert.equal(texts.size, Object.keys(LANGUAGES).length);
});
