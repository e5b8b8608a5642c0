/** What nodes would cost, as the server says (POST /sora/quote). No DOM, and no price is computed here. */

/** @import { GraphNode, Quote, QuoteRequest } from "./types.d.ts" */

import { Recent } from "./recent.mjs";

const PACE_MS = 500; // between two rounds of requests, however fast somebody types
const MOST = 500; // quotes that are kept

/** @typedef {{ now(): number, later(run: () => void, ms: number): unknown }} Clock in milliseconds */

export class Quotes {
  #request;
  #changed;
  #clock;
  /** @type {Recent<string, { quote: Quote, round: number }>} what was asked for, as JSON -> its latest response */
  #kept = new Recent(MOST);
  /** @type {Map<GraphNode, string>} node -> what it asks for next: what it asked for in between does not matter */
  #wanted = new Map();
  /** @type {Set<string>} */
  #pending = new Set();
  #round = 0;
  /** @type {unknown} */
  #timer;
  #sent = -Infinity;

  /**
   * `request` throws for what cannot be bought; `changed()` is called when there are new quotes.
   *
   * @param {(wanted: QuoteRequest) => Promise<Quote>} request
   * @param {() => void} changed
   * @param {Clock} [clock]
   */
  constructor(request, changed, clock = { now: () => performance.now(), later: (run, ms) => setTimeout(run, ms) }) {
    this.#request = request;
    this.#changed = changed;
    this.#clock = clock;
  }

  /**
   * The quote for what a node wants; undefined until it is there.
   *
   * @param {GraphNode} node
   * @param {QuoteRequest} wanted
   */
  of(node, wanted) {
    const body = JSON.stringify(wanted);
    const kept = this.#kept.get(body);
    if (kept?.round === this.#round || this.#pending.has(this.#key(body))) this.#wanted.delete(node);
    else this.#want(node, body);
    return kept?.quote;
  }

  /** Prices may be other ones now: ask again for all that is shown. The old ones are shown until then. */
  renew() {
    this.#round += 1;
    this.#changed();
  }

  /** @param {string} body */
  #key(body) {
    return `${this.#round} ${body}`;
  }

  /**
   * @param {GraphNode} node
   * @param {string} body
   */
  #want(node, body) {
    this.#wanted.set(node, body);
    const pause = Math.max(0, this.#sent + PACE_MS - this.#clock.now());
    this.#timer ??= this.#clock.later(() => this.#send(), pause);
  }

  #send() {
    this.#timer = undefined;
    this.#sent = this.#clock.now();
    const bodies = new Set(this.#wanted.values());
    this.#wanted.clear();
    for (const body of bodies) this.#read(body);
  }

  /** @param {string} body */
  async #read(body) {
    const [round, key] = [this.#round, this.#key(body)];
    this.#pending.add(key);
    const quote = await this.#request(JSON.parse(body)).catch(() => ({}));
    this.#pending.delete(key);
    if ((this.#kept.get(body)?.round ?? -1) > round) return; // a later response came earlier
    this.#kept.set(body, { quote, round });
    this.#changed();
  }
}
