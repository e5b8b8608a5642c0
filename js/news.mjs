/** Jobs that got into trouble, as the server knows them. An event only says that there may be some: it can get lost, or
 * come after the list has read the same. No DOM. */

/** @import { NewsResponse, Row } from "./types.d.ts" */

export class News {
  /** Is there something that was not read yet? */
  pending = false;
  #read;
  #show;
  #polling = false;
  #mark = ""; // how far the server has told

  /**
   * @param {(path: string) => Promise<NewsResponse>} read
   * @param {(row: Row) => unknown} show
   */
  constructor(read, show) {
    this.#read = read;
    this.#show = show;
  }

  /** Read and show what came since the last time; the first time, since this page began to load. */
  async poll() {
    this.pending = true;
    if (this.#polling) return; // that one asks once more
    this.#polling = true;
    try {
      while (this.pending) {
        this.pending = false;
        const age = String(Math.ceil(performance.now() / 1000));
        const { mark, jobs } = await this.#read(`/sora/news?${new URLSearchParams({ after: this.#mark, age })}`);
        for (const row of jobs) await this.#show(row);
        this.#mark = mark;
      }
    } catch {
      this.pending = true; // the next poll asks again
    } finally {
      this.#polling = false;
    }
  }
}
