/** A list of any length of which only what is seen is in the page. All rows are equally high. */

/** @import { Row } from "./types.d.ts" */
/** @import { Store } from "./store.mjs" */

/** @typedef {{ element: HTMLElement, show(row: Row): void }} Item */

import { el, setAttribute } from "./dom.mjs";

const SPARE = 4; // rows above and below, so that Tab finds the next one
const NEAR = 30; // rows before the end at which older ones are read

export class List {
  element;
  #space;
  #store;
  #height;
  #make;
  /** @type {Map<string, Item>} */
  #shown = new Map();
  /** @type {Set<string>} */
  #stale = new Set();
  #seen = 0; // height of the window, kept since asking for it costs a layout
  #due = 0;
  #ends;

  /**
   * @param {Store} store
   * @param {number} height of a row, in pixels
   * @param {string} name
   * @param {(id: string) => Item} make
   */
  constructor(store, height, name, make) {
    this.#store = store;
    this.#height = height;
    this.#make = make;
    this.#space = el("div", { role: "list", "aria-label": name, class: "sora-space" });
    this.element = el(
      "div",
      { class: "sora-scroll", onscroll: () => this.draw(), onkeydown: (e) => this.#key(e) },
      this.#space,
    );
    const sized = new ResizeObserver(() => {
      this.#seen = this.element.clientHeight;
      this.draw();
    });
    sized.observe(this.element);
    this.#ends = [store.watch((id) => this.changed(id)), () => sized.disconnect()];
  }

  end() {
    for (const end of this.#ends) end();
    cancelAnimationFrame(this.#due);
  }

  /**
   * A row is another one, or (without an id) the list is.
   *
   * @param {string} [id]
   */
  changed(id) {
    if (id === undefined) for (const shown of this.#shown.keys()) this.#stale.add(shown);
    else if (this.#shown.has(id)) this.#stale.add(id);
    else return;
    this.draw();
  }

  /**
   * Time goes on: what says how long it takes, or how long ago it was.
   *
   * @param {boolean} onlyRunning
   */
  tick(onlyRunning) {
    for (const id of this.#shown.keys()) if (!onlyRunning || this.#store.row(id)?.is_running) this.#stale.add(id);
    this.draw();
  }

  /** With the next frame, however often it is asked for. */
  draw() {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      this.#draw();
    });
  }

  /**
   * Give it the keyboard. Can it have it?
   *
   * @param {string} id
   */
  focus(id) {
    const press = this.#store.row(id) && this.#shown.get(id)?.element.querySelector("button");
    press?.focus();
    return !!press;
  }

  #draw() {
    if (!this.#seen) return; // something else stands in its place: what is shown, and has the keyboard, stays
    const { ids, more, loading, error } = this.#store;
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.#height) - SPARE);
    const last = Math.min(ids.length, Math.ceil((this.element.scrollTop + this.#seen) / this.#height) + SPARE);
    setAttribute(this.#space, "style", `height: ${ids.length * this.#height}px`);
    this.#fill(this.#wanted(first, last));
    if (more && !loading && !error && last > ids.length - NEAR) this.#store.next();
  }

  /**
   * Places in the list: those that are seen, and the one that has the keyboard, which would be lost otherwise.
   *
   * @param {number} first
   * @param {number} last
   */
  #wanted(first, last) {
    const places = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
    const held = document.activeElement && idOf(document.activeElement);
    const at = held && this.#space.contains(document.activeElement) ? this.#store.ids.indexOf(held) : -1;
    if (at < 0 || (at >= first && at < last)) return places;
    return at < first ? [at, ...places] : [...places, at];
  }

  /** @param {number[]} places */
  #fill(places) {
    const { ids, more } = this.#store;
    const wanted = new Set(places.map((at) => ids[at]));
    for (const [id, item] of this.#shown) {
      if (wanted.has(id)) continue;
      item.element.remove();
      this.#shown.delete(id);
    }
    let next = this.#space.firstChild; // the order in the page is the order of Tab
    for (const at of places) {
      const item = this.#item(ids[at]);
      setAttribute(item.element, "style", `transform: translateY(${at * this.#height}px)`);
      setAttribute(item.element, "aria-posinset", at + 1);
      setAttribute(item.element, "aria-setsize", more ? -1 : ids.length);
      if (item.element === next) next = next.nextSibling;
      else this.#space.insertBefore(item.element, next);
    }
    this.#stale.clear();
  }

  /** @param {string} id */
  #item(id) {
    let item = this.#shown.get(id);
    if (!item) {
      item = this.#make(id);
      item.element.dataset.id = id;
      this.#shown.set(id, item);
    } else if (!this.#stale.has(id)) return item;
    const row = this.#store.row(id);
    if (row) item.show(row);
    return item;
  }

  /**
   * Arrows, Home and End go from row to row.
   *
   * @param {KeyboardEvent} event
   */
  #key(event) {
    const { ids } = this.#store;
    const at = ids.indexOf(idOf(/** @type {Element} */ (event.target)));
    const to = new Map(Object.entries({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1 })).get(
      event.key,
    );
    if (at < 0 || to === undefined || !ids[to]) return;
    event.preventDefault();
    const top = to * this.#height;
    const { scrollTop } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.#height > scrollTop + this.#seen) this.element.scrollTop = top + this.#height - this.#seen;
    this.#draw();
    this.focus(ids[to]);
  }
}

/**
 * The job of the row that an element is in; "" for others.
 *
 * @param {Element} element
 */
function idOf(element) {
  /** @type {HTMLElement | null} */
  const item = element.closest(".sora-item");
  return item?.dataset.id ?? "";
}
