/** What is left at a provider: asked at a click, shown with the time when it was asked, and kept nowhere. */

/** @import { Balance, Host } from "./types.d.ts" */

import { button, el, replaceChildren } from "./dom.mjs";
import { dollars, moment } from "./figures.mjs";
import { t } from "./words.mjs";

/** @param {number} usd */
const signed = (usd) => (usd < 0 ? `-${dollars(-usd)}` : dollars(usd));

/**
 * A response of POST /sora/balance in one line.
 *
 * @param {Balance} balance
 */
export function balanceText({ of, left_usd: left, used_usd: used, unlimited, asked_at: at }) {
  const facts = [
    unlimited ? t("balance_no_limit") : left != null && t("balance_left", { usd: signed(left) }),
    used != null && t("balance_used", { usd: signed(used) }),
    t("balance_asked", { time: moment(at) }),
  ];
  return t(of === "key" ? "balance_of_key" : "balance_of_account", { facts: facts.filter(Boolean).join(" · ") });
}

/**
 * What to think of before the next job; "" for nothing.
 *
 * @param {Balance} balance
 */
export function shortText({ short, next_by: by, next_usd: usd }) {
  if (!short) return "";
  return t(by === "last_job" ? "balance_short_job" : "balance_short_cap", { usd: dollars(usd) });
}

export class Balances {
  #host;
  /** @type {Map<string, Partial<Record<Balance["of"], Balance>>>} provider -> its last responses */
  #told = new Map();
  /** @type {Map<string, HTMLElement>} provider -> its line in the page, which is drawn anew during a request, too */
  #lines = new Map();
  #pending = false;
  #keys = 0; // how often a key was changed: a response for the one before is not shown

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /**
   * What was told counts for another key.
   *
   * @param {string} provider
   */
  forget(provider) {
    this.#told.delete(provider);
    this.#keys += 1;
  }

  /**
   * The button, and what was told so far; for the box of a provider that can be asked.
   *
   * @param {string} provider
   */
  line(provider) {
    const line = el("div", { class: "sora-balance" });
    this.#lines.set(provider, line);
    this.#fill(provider);
    return line;
  }

  /** @param {string} provider */
  #fill(provider) {
    const told = this.#told.get(provider);
    /** @param {boolean} account */
    const ask = (account) => () => this.#host.attempt(() => this.#ask(provider, account));
    /** @param {string} key */
    const given = (key) => ({ "data-key": `${key}-${provider}` });
    const rows = [told?.key, told?.account].filter((each) => each !== undefined);
    replaceChildren(
      this.#lines.get(provider),
      button("wallet", t("balance"), ask(false), given("balance")),
      told && button("wallet", t("balance_account"), ask(true), given("account")),
      el(
        "div",
        { role: "status" },
        rows.map((row) => el("p", { text: balanceText(row) })),
        told?.key?.unlimited && !told.account && el("p", { class: "sora-quiet", text: t("balance_see_account") }),
        [...new Set(rows.map(shortText))].filter(Boolean).map((text) => el("p", { class: "sora-short", text })),
      ),
    );
  }

  /**
   * @param {string} provider
   * @param {boolean} account
   */
  async #ask(provider, account) {
    if (this.#pending) return;
    if (account && !(await this.#host.confirm(t("ask_account", { provider })))) return;
    this.#pending = true;
    const keys = this.#keys;
    /** @param {Partial<Record<Balance["of"], Balance>>} told */
    const keep = (told) => {
      if (keys === this.#keys) this.#told.set(provider, { ...this.#told.get(provider), ...told });
    };
    try {
      /** @type {Balance} */
      const told = await this.#host.post("/sora/balance", { provider, account });
      keep({ [told.of]: told });
    } catch (error) {
      keep({}); // the other call may tell
      throw error;
    } finally {
      this.#pending = false;
      this.#fill(provider);
    }
  }
}
