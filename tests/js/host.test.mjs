/** What the page is told where the server does not take the name by which it was opened. */

import assert from "node:assert/strict";
import test from "node:test";
import { makeHost } from "../../js/host.mjs";
import { LANGUAGES, t, setLanguage } from "../../js/words.mjs";

const REFUSED = { error: "Request blocked", host: "comfy.example.com" };

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
    await setLanguage(language);
    const host = makeHost({}, answers([403, REFUSED]));
    const said = await Promise.allSettled([
      host.get("/sora/jobs"),
      host.post("/sora/doctor"),
      host.get("/sora/models"),
    ]);
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
  const host = makeHost({}, api, { blocked: (name) => told.push(name) });
  await assert.rejects(host.get("/sora/jobs"));
  await assert.rejects(host.get("/sora/jobs"));
  assert.deepEqual(await host.get("/sora/jobs"), { jobs: [] });
  assert.deepEqual(told, ["comfy.example.com", ""]);
});

const NO_BALANCE = {
  error: "Not enough. Nothing was spent by this.",
  kind: "no_balance",
  code: "insufficient_quota",
  values: { message: "Not enough.", charge: "none", job: "j1" },
};

test("an error is told in the page's language, whatever the server's is; in English as the server says it", async () => {
  const host = makeHost({}, answers([409, NO_BALANCE]));
  await assert.rejects(host.get("/sora/jobs"), { message: NO_BALANCE.error });
  await setLanguage("zh");
  await assert.rejects(host.get("/sora/jobs"), {
    message: "网关账户余额不足。 这次没有花费任何费用。 请在网关为账户充值。 原文： Not enough. (任务 j1)",
  });
  await setLanguage("en");
});

test("an error without a kind, or of one that the page does not know, is told as it comes", async () => {
  await setLanguage("vi");
  for (const more of [{ kind: undefined }, { kind: "of_tomorrow" }, { values: undefined }])
    await assert.rejects(makeHost({}, answers([400, { ...NO_BALANCE, ...more }])).get("/x"), {
      message: NO_BALANCE.error,
    });
  await assert.rejects(makeHost({}, answers([500, {}])).get("/x"), { message: "HTTP 500" });
  await setLanguage("en");
});

test("another refusal is told as it comes", async () => {
  const host = makeHost({}, answers([403, { error: "Only ComfyUI's own page may ask for this." }]));
  await assert.rejects(host.get("/sora/jobs"), /own page/);
});
