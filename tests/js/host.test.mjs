/** What the page is told where the server does not take the name by which it was opened. */

import assert from "node:assert/strict";
import test from "node:test";
import { makeHost } from "../../js/host.mjs";
import { LANGUAGES, t, setLanguage, currentLanguage } from "../../js/words.mjs";

const REFUSED = { error: "Request blocked", host: "comfy.example.com", language: "vi" };

function answers(...given) {
  const next = () => (given.length > 1 ? given.shift() : given[0]);
  return {
    fetchApi: async () => {
      const [status, told] = next();
      return { ok: status < 300, status, json: async () => told };
    },
  };
}

for (const language of Object.keys(LANGUAGES)) {
  test(`a blocked host is told in ${language}, with its name and where it is allowed`, async () => {
    await setLanguage("en");
    const api = answers([403, { ...REFUSED, language }]);
    const host = makeHost({}, api, { blocked: async (_, told) => setLanguage(told) });
    const said = await Promise.allSettled([
      host.get("/sora/jobs"),
      host.post("/sora/doctor"),
      host.get("/sora/models"),
    ]);
    assert.equal(currentLanguage(), language);
    for (const { reason } of said) {
      assert.equal(reason.message, t("host_blocked", { host: REFUSED.host }));
      for (const part of ["comfy.example.com", "allowed_hosts", "[page]"]) assert.ok(reason.message.includes(part));
    }
    await setLanguage("en");
  });
}

test("it is told once, and taken back once the owner has allowed the name", async () => {
  const told = [];
  const api = answers([403, REFUSED], [403, REFUSED], [200, { jobs: [] }]);
  const host = makeHost({}, api, { blocked: async (name) => told.push(name) });
  await assert.rejects(host.get("/sora/jobs"));
  await assert.rejects(host.get("/sora/jobs"));
  assert.deepEqual(await host.get("/sora/jobs"), { jobs: [] });
  assert.deepEqual(told, ["comfy.example.com", ""]);
});

test("another refusal is told as it comes", async () => {
  const host = makeHost({}, answers([403, { error: "Only ComfyUI's own page may ask for this." }]));
  await assert.rejects(host.get("/sora/jobs"), /own page/);
});
