/** Jobs that got into trouble, as the server knows them. An event only says that there may be some: it can get lost, or
 * come after the list has read the same. No DOM. */

export class News {
  /** Was something not read yet? */
  owed = false;
  #read;
  #tell;
  #asking = false;
  #mark = ""; // how far the server has told

  /** `read(path)` gives a route's answer; `tell(row)` shows one. */
  constructor(read, tell) {
    [this.#read, this.#tell] = [read, tell];
  }

  /** Read and tell what came since the last time; the first time, since this page began to load. */
  async ask() {
    this.owed = true;
    if (this.#asking) return; // that one asks once more
    this.#asking = true;
    try {
      while (this.owed) {
        this.owed = false;
        const age = Math.ceil(performance.now() / 1000);
        const { mark, jobs } = await this.#read(`/sora/news?${new URLSearchParams({ after: this.#mark, age })}`);
        for (const row of jobs) await this.#tell(row);
        this.#mark = mark;
      }
    } catch {
      this.owed = true; // the next look asks again
    } finally {
      this.#asking = false;
    }
  }
}
