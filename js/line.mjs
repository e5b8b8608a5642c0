/** The line of queued jobs: their places, as they were read last. No DOM. */

/** @import { Places, Row } from "./types.d.ts" */

export class Line {
  /** @type {Places} of all queued jobs; another object whenever they were read again */
  places = {};
  #read;
  #at = 0;
  #moved = false; // a job has left since they were asked for
  #reading = false;

  /**
   * `read()` reads them again, and hands them to `use`.
   *
   * @param {() => Promise<unknown>} read
   */
  constructor(read) {
    this.#read = read;
  }

  /**
   * Take over what was asked for after `at` events; an older response counts no more.
   *
   * @param {Places} places
   * @param {number} at
   */
  use(places, at) {
    if (at < this.#at) return;
    this.#at = at;
    this.places = places;
  }

  /**
   * A row with its place as it was read last.
   *
   * @param {Row} row
   * @returns {Row}
   */
  placed(row) {
    const place = row.state === "queued" ? this.places[row.id] : undefined;
    return place === undefined || place === row.place ? row : { ...row, place };
  }

  /** A job has left, and those behind it move up: read their places, once for all that leave meanwhile. */
  async moveUp() {
    this.#moved = true;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#moved) {
        this.#moved = false;
        await this.#read();
      }
    } catch {
      // the next refresh reads them
    } finally {
      this.#reading = false;
    }
  }
}
