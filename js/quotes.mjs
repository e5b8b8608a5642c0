/** What nodes would cost, as the server says (POST /sora/quote). No DOM, and no price is computed here. */

const PACE_MS = 500; // between two rounds of questions, however fast somebody types
const MOST = 500; // quotes that are kept

export class Quotes {
  #ask;
  #changed;
  #clock;
  #kept = new Map(); // what was asked, as JSON -> {quote, round}
  #wanted = new Map(); // node -> what it asks next: what it asked in between does not matter any more
  #asking = new Set();
  #round = 0;
  #timer;
  #sent = -Infinity;

  /**
   * `ask(wanted)` gives {usd}, or throws for what cannot be bought; `changed()` is called when there are new quotes.
   * `clock` has now() and later(run, ms).
   */
  constructor(ask, changed, clock = { now: () => performance.now(), later: (run, ms) => setTimeout(run, ms) }) {
    this.#ask = ask;
    this.#changed = changed;
    this.#clock = clock;
  }

  /** {usd} for what a node wants: null where it is unknown, none where it has no price; undefined until it is there. */
  of(node, wanted) {
    const body = JSON.stringify(wanted);
    const kept = this.#kept.get(body);
    if (kept?.round === this.#round || this.#asking.has(this.#key(body))) this.#wanted.delete(node);
    else this.#want(node, body);
    return kept?.quote;
  }

  /** Prices may be other ones now: ask again for all that is shown. The old ones are shown until then. */
  renew() {
    this.#round += 1;
    this.#changed();
  }

  #key(body) {
    return `${this.#round} ${body}`;
  }

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

  async #read(body) {
    const [round, key] = [this.#round, this.#key(body)];
    this.#asking.add(key);
    const quote = await this.#ask(JSON.parse(body)).catch(() => ({}));
    this.#asking.delete(key);
    if (this.#kept.get(body)?.round > round) return; // a later answer came earlier
    this.#kept.delete(body);
    this.#kept.set(body, { quote, round });
    if (this.#kept.size > MOST) this.#kept.delete(this.#kept.keys().next().value);
    this.#changed();
  }
}
