/** What is remembered of the last few: a map that does not grow for ever. */

/**
 * A map of at most `most` entries; one more, and that which was set longest ago goes.
 *
 * @template Key, Value
 * @extends {Map<Key, Value>}
 */
export class Recent extends Map {
  #most;

  /** @param {number} most */
  constructor(most) {
    super();
    this.#most = most;
  }

  /**
   * @param {Key} key
   * @param {Value} value
   */
  set(key, value) {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#most) this.delete(/** @type {Key} */ (this.keys().next().value));
    return this;
  }
}
