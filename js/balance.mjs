/** What is left at a provider: asked at a click, shown with the time when it was asked, and kept nowhere. */

import { button, el, refill } from "./dom.mjs";
import { dollars, moment } from "./figures.mjs";
import { say } from "./words.mjs";

const signed = (usd) => (usd < 0 ? `-${dollars(-usd)}` : dollars(usd));

/** An answer of POST /sora/balance in one line. */
export function balanceText({ of, left_usd: left, used_usd: used, unlimited, asked_at: at }) {
  const facts = [
    unlimited ? say("balance_no_limit") : say("balance_left", { usd: signed(left) }),
    used != null && say("balance_used", { usd: signed(used) }),
    say("balance_asked", { time: moment(at) }),
  ];
  return say(of === "key" ? "balance_of_key" : "balance_of_account", { facts: facts.filter(Boolean).join(" · ") });
}

/** What to think of before the next job; "" for nothing. */
export function shortText({ short, next_by: by, next_usd: usd }) {
  if (!short) return "";
  return say(by === "last_job" ? "balance_short_job" : "balance_short_cap", { usd: dollars(usd) });
}

export class Balances {
  #host;
  #told = new Map(); // provider -> its last answers, by "key" and "account"
  #lines = new Map(); // provider -> what is in the page now: settings are drawn anew while an answer is on its way
  #asking = false;
  #keys = 0; // how often a key was changed: an answer for the one before is not shown

  /** `host` has post, attempt and confirm. */
  constructor(host) {
    this.#host = host;
  }

  /** What was told counts for another key. */
  forget(provider) {
    this.#told.delete(provider);
    this.#keys += 1;
  }

  /** The button, and what was told so far; for the box of a provider that can be asked. */
  line(provider) {
    const line = el("div", { class: "sora-balance" });
    this.#lines.set(provider, line);
    this.#fill(provider);
    return line;
  }

  #fill(provider) {
    const told = this.#told.get(provider);
    const ask = (account) => () => this.#host.attempt(() => this.#ask(provider, account));
    const given = (key) => ({ "data-key": `${key}-${provider}` });
    const rows = ["key", "account"].map((of) => told?.[of]).filter(Boolean);
    refill(
      this.#lines.get(provider),
      button("wallet", say("balance"), ask(false), given("balance")),
      told && button("wallet", say("balance_account"), ask(true), given("account")),
      el(
        "div",
        { role: "status" },
        rows.map((row) => el("p", { text: balanceText(row) })),
        told?.key?.unlimited && !told.account && el("p", { class: "sora-quiet", text: say("balance_see_account") }),
        [...new Set(rows.map(shortText))].filter(Boolean).map((text) => el("p", { class: "sora-short", text })),
      ),
    );
  }

  async #ask(provider, account) {
    if (this.#asking) return;
    if (account && !(await this.#host.confirm(say("ask_account", { provider })))) return;
    this.#asking = true;
    const keys = this.#keys;
    const keep = (answer) => {
      if (keys === this.#keys) this.#told.set(provider, { ...this.#told.get(provider), ...answer });
    };
    try {
      const told = await this.#host.post("/sora/balance", { provider, account });
      keep({ [told.of]: told });
    } catch (error) {
      keep({}); // the other call may tell
      throw error;
    } finally {
      this.#asking = false;
      this.#fill(provider);
    }
  }
}
