/** A list of any length of which only what is seen is in the page. All rows are equally high. */

import { el, mark } from "./dom.mjs";

const SPARE = 4; // rows above and below, so that Tab finds the next one
const NEAR = 30; // rows before the end at which older ones are read

export class List {
  element;
  #space;
  #store;
  #height;
  #make;
  #shown = new Map(); // id -> {element, show(row), visible(now)}
  #stale = new Set();
  #seen = 0; // height of the window, kept since asking for it costs a layout
  #due = 0;
  #ends;

  /** `make(id)` gives {element, show(row)} for a row; `height` in pixels. */
  constructor(store, height, name, make) {
    [this.#store, this.#height, this.#make] = [store, height, make];
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

  /** A row is another one, or (without an id) the list is. */
  changed(id) {
    if (id === undefined) for (const shown of this.#shown.keys()) this.#stale.add(shown);
    else if (this.#shown.has(id)) this.#stale.add(id);
    else return;
    this.draw();
  }

  /** Time goes on: what says how long it takes, or how long ago it was. */
  tick(onlyRunning) {
    for (const id of this.#shown.keys()) if (!onlyRunning || this.#store.row(id)?.running) this.#stale.add(id);
    this.draw();
  }

  /** With the next frame, however often it is asked for. */
  draw() {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      this.#draw();
    });
  }

  /** Give it the keyboard. Can it have it? */
  focus(id) {
    const press = this.#store.row(id) && this.#shown.get(id)?.element.firstChild;
    press?.focus();
    return !!press;
  }

  #draw() {
    if (!this.#seen) return; // something else stands in its place: what is shown, and has the keyboard, stays
    const { ids, more, loading, error } = this.#store;
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.#height) - SPARE);
    const last = Math.min(ids.length, Math.ceil((this.element.scrollTop + this.#seen) / this.#height) + SPARE);
    mark(this.#space, "style", `height: ${ids.length * this.#height}px`);
    this.#fill(this.#wanted(first, last));
    if (more && !loading && !error && last > ids.length - NEAR) this.#store.next();
  }

  /** Places in the list: those that are seen, and the one that has the keyboard, which would be lost otherwise. */
  #wanted(first, last) {
    const places = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
    const held = document.activeElement?.closest?.(".sora-item");
    const at = held && this.#space.contains(held) ? this.#store.ids.indexOf(held.dataset.id) : -1;
    if (at < 0 || (at >= first && at < last)) return places;
    return at < first ? [at, ...places] : [...places, at];
  }

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
      mark(item.element, "style", `transform: translateY(${at * this.#height}px)`);
      mark(item.element, "aria-posinset", at + 1);
      mark(item.element, "aria-setsize", more ? -1 : ids.length);
      if (item.element === next) next = next.nextSibling;
      else this.#space.insertBefore(item.element, next);
    }
    this.#stale.clear();
  }

  #item(id) {
    let item = this.#shown.get(id);
    if (!item) {
      item = this.#make(id);
      item.element.dataset.id = id;
      this.#shown.set(id, item);
    } else if (!this.#stale.has(id)) return item;
    item.show(this.#store.row(id));
    return item;
  }

  /** Arrows, Home and End go from row to row. */
  #key(event) {
    const { ids } = this.#store;
    const at = ids.indexOf(event.target.closest(".sora-item")?.dataset.id);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1 }[event.key];
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
