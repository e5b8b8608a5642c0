/** The tab "Sora jobs": the list with its search, and in its place one job, the costs or the settings. */

/** @import { Host, Navigation, Row, TreeResponse } from "./types.d.ts" */
/** @import { Bell } from "./notify.mjs" */
/** @import { Store } from "./store.mjs" */

import { HEIGHT, makeCard, tryPicturesAgain } from "./card.mjs";
import { Costs } from "./costs.mjs";
import { Detail } from "./detail.mjs";
import { button, el, setText } from "./dom.mjs";
import { jobOf, takeDrops } from "./drop.mjs";
import { List } from "./list.mjs";
import { promptOf, stateOf } from "./row.mjs";
import { Settings } from "./settings.mjs";
import { t } from "./words.mjs";

const STATES = ["", "running", "stale", "unknown", "failed", "stored", "refused", "forgotten"];
const TYPED_MS = 250;
const TICK_MS = 1000;
const AGES_EVERY = 30; // ticks

/**
 * What is in the page while the tab is open.
 *
 * @typedef {{ root: HTMLElement, list: List, home: HTMLElement, costs: HTMLElement, gear: HTMLElement,
 *   status: HTMLElement, live: HTMLElement }} Parts
 */

/** @implements {Navigation} */
export class Panel {
  #store;
  #host;
  #bell;
  /** @type {HTMLElement | null} */
  #root = null;
  /** @type {Parts | null} */
  #parts = null;
  /** @type {Detail | Costs | Settings | null} in place of the list */
  #view = null;
  /** @type {(() => void)[]} */
  #ends = [];
  /** @type {() => void} */
  #unwatch = () => {};
  #clicks = 0; // a response to an earlier one counts no more
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  #events = 0;
  /** @type {(() => void) | null} what is to be shown once the tab is on the screen */
  #wish = null;

  /**
   * @param {Store} store
   * @param {Host} host
   * @param {Bell} bell
   */
  constructor(store, host, bell) {
    this.#store = store;
    this.#host = host;
    this.#bell = bell;
  }

  /**
   * Into the host's element; some versions ask for it again while it is there.
   *
   * @param {HTMLElement} element
   */
  mount(element) {
    if (this.#root?.parentNode === element) return;
    this.unmount();
    tryPicturesAgain();
    const root = el("div", { class: "sora-jobs", onkeydown: (event) => this.#key(event) });
    this.#root = root;
    element.replaceChildren(root);
    element.style.height = "100%";
    this.#store.filter = { state: "", search: "" };
    this.#build(root);
    takeDrops(root, (file) => this.#host.attempt(() => this.#dropped(file)));
    const timer = setInterval(() => this.#tick(), TICK_MS);
    this.#ends.push(() => clearInterval(timer));
    this.#store.reset();
    const wish = this.#wish;
    this.#wish = null;
    wish?.();
  }

  /**
   * Do it as soon as the tab is on the screen.
   *
   * @param {() => void} show
   */
  whenShown(show) {
    if (this.shown) show();
    else this.#wish = show;
  }

  unmount() {
    clearTimeout(this.#typing);
    for (const end of [...this.#ends, this.#unwatch]) end();
    this.#parts?.list.end();
    this.#root?.remove();
    this.#ends = [];
    this.#root = this.#view = this.#parts = null;
  }

  /** Other words: build it anew, with the same view. */
  rebuild() {
    if (!this.#root) return;
    const view = this.#view;
    clearTimeout(this.#typing);
    this.#parts?.list.end();
    this.#build(this.#root);
    this.#store.reset(); // what could not be read is told in other words, too
    if (view instanceof Settings) this.settings();
    else if (view instanceof Costs) this.costs();
    else if (view) this.open(view.id);
  }

  /**
   * An event of the server, or a response with a changed row.
   *
   * @param {Row} told
   * @param {string} was its state before
   * @param {boolean} wasRunning
   */
  update(told, was, wasRunning) {
    this.#events += 1;
    const row = this.#store.line.placed(told); // the response may know the line as it was
    this.#store.update(row, was, wasRunning);
    if (this.#view instanceof Detail) this.#view.update(row);
    if (this.#view instanceof Costs && was !== row.state) this.#view.stale = true;
    if (!this.#parts || was === row.state) return;
    const text = t("now", { prompt: promptOf(row).slice(0, 60), state: stateOf(row, this.#host.now()) });
    setText(this.#parts.live, text);
  }

  /** @param {Row} row of a response to a click in one of the views */
  changed(row) {
    this.update(row, row.state, row.is_running);
  }

  /** Is it on the screen? */
  get shown() {
    return !!this.#root?.isConnected;
  }

  /** Read again what no event told; `back` says that the server was away. */
  async refresh(back = false) {
    if (back) tryPicturesAgain();
    await this.#store.refresh();
    const [view, events] = [this.#view, this.#events];
    if (view instanceof Costs) view.stale = true;
    if (!(view instanceof Detail)) return;
    /** @type {TreeResponse} */
    const told = await this.#host.get(`/sora/history/${view.id}`);
    if (view === this.#view && events === this.#events) view.show(told);
  }

  /** @param {string} id */
  async open(id) {
    const click = (this.#clicks += 1);
    await this.#host.attempt(async () => {
      /** @type {TreeResponse} */
      const told = await this.#host.get(`/sora/history/${id}`);
      if (click === this.#clicks && this.#root) this.#put(new Detail(told, this.#host, this));
    });
  }

  settings() {
    this.#clicks += 1;
    const settings = new Settings(this.#host, this.#bell, this);
    this.#put(settings);
    return this.#host.attempt(() => settings.load());
  }

  costs() {
    this.#clicks += 1;
    const costs = new Costs(this.#host, this);
    this.#put(costs);
    return costs.load();
  }

  /** Settings or keys are others now: show them, if they are shown. */
  refreshSettings() {
    const view = this.#view;
    if (view instanceof Settings) this.#host.attempt(() => view.load());
  }

  back() {
    this.#clicks += 1;
    if (!this.#parts) return;
    const { list, home, costs, gear } = this.#parts;
    const view = this.#view;
    view?.element.remove();
    this.#view = null;
    home.hidden = false;
    if (!(view instanceof Detail) || !list.focus(view.id)) (view instanceof Costs ? costs : gear).focus();
  }

  /** @param {HTMLElement} root */
  #build(root) {
    const search = el("input", {
      type: "search",
      "aria-label": t("search"),
      placeholder: t("search"),
      value: this.#store.filter.search,
      maxlength: 200,
    });
    const states = STATES.map((value) => el("option", { value, text: t(value ? `only_${value}` : "all") }));
    /** @type {HTMLSelectElement} */
    const select = el("select", { "aria-label": t("filter"), onchange: () => this.#narrow(search, select) }, states);
    select.value = this.#store.filter.state;
    search.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#narrow(search, select), TYPED_MS);
    });
    const costs = button("chart-bar", t("costs"), () => this.costs(), { bare: true });
    const gear = button("cog", t("settings"), () => this.settings(), { bare: true });
    const status = el("div", { class: "sora-status", role: "status" });
    const live = el("div", { class: "sora-heard", role: "status", "aria-live": "polite" });
    const open = (/** @type {string} */ id) => this.open(id);
    const list = new List(this.#store, HEIGHT, t("tab"), (id) => makeCard(id, this.#host, open));
    const bar = el("div", { class: "sora-top" }, search, select, costs, gear);
    const home = el(
      "div",
      { class: "sora-home" },
      bar,
      status,
      list.element,
      el("p", { class: "sora-quiet sora-foot", text: t("drop") }),
    );
    root.replaceChildren(home, live);
    this.#parts = { root, list, home, costs, gear, status, live };
    this.#view = null;
    this.#unwatch();
    this.#unwatch = this.#store.watch((id) => id === undefined && this.#state());
    this.#state();
  }

  /** @param {Detail | Costs | Settings} view */
  #put(view) {
    if (!this.#parts) return;
    this.#view?.element.remove();
    this.#view = view;
    this.#parts.home.hidden = true;
    this.#parts.root.append(view.element);
    view.element.querySelector("h2")?.focus();
  }

  /**
   * @param {HTMLInputElement} search
   * @param {HTMLSelectElement} select
   */
  #narrow(search, select) {
    clearTimeout(this.#typing);
    if (this.#parts) this.#parts.list.element.scrollTop = 0;
    this.#store.reset({ state: select.value, search: search.value.trim() });
  }

  /** The list is another one: what there is to say in place of rows, and where the job in full is in the line. */
  #state() {
    if (this.#view instanceof Detail) this.#view.usePlaces(this.#store.line.places);
    if (!this.#parts) return;
    const { status } = this.#parts;
    const { ids, loading, error, filter } = this.#store;
    const empty = t(filter.search || filter.state ? "no_match" : "empty");
    const text = error || (ids.length ? "" : loading ? t("loading") : empty);
    if (text === status.dataset.said) return; // the button keeps the keyboard
    status.dataset.said = text;
    const again = error && button("refresh", t("retry"), () => this.#store.again());
    status.replaceChildren(...[text, again].filter((each) => !!each));
  }

  #ticks = 0;
  #tick() {
    if (!this.#root?.isConnected) return this.unmount(); // some versions do not say that the tab is closed
    if (document.hidden) return;
    this.#ticks += 1;
    this.#parts?.list.tick(this.#ticks % AGES_EVERY !== 0);
    if (this.#view instanceof Detail || this.#view instanceof Costs) this.#view.tick();
  }

  /** @param {File} file */
  async #dropped(file) {
    this.#host.toast(t("looking_at", { name: file.name }));
    const id = await jobOf(file, this.#host.get);
    if (id) await this.open(id);
    else this.#host.toast(t("no_job", { name: file.name }), "warn");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape" || !this.#view) return;
    event.stopPropagation();
    this.back();
  }
}
