/** The tab "Sora jobs": the list with its search, and in its place one job, the costs or the settings. */

import { HEIGHT, makeCard, tryPicturesAgain } from "./card.mjs";
import { Costs } from "./costs.mjs";
import { Detail } from "./detail.mjs";
import { button, el, write } from "./dom.mjs";
import { jobOf, takeDrops } from "./drop.mjs";
import { List } from "./list.mjs";
import { promptOf, stateOf } from "./row.mjs";
import { Settings } from "./settings.mjs";
import { say } from "./words.mjs";

const STATES = ["", "running", "unknown", "failed", "stored", "refused", "forgotten"];
const TYPED_MS = 250;
const TICK_MS = 1000;
const AGES_EVERY = 30; // ticks

export class Panel {
  #store;
  #host;
  #root = null;
  #list;
  #view = null; // a Detail, the Costs or the Settings, in place of the list
  #ends = [];
  #unwatch = () => {};
  #parts = {};
  #asked = 0; // an answer to an earlier click counts no more
  #typing = 0;
  #heard = 0; // events so far
  #wish = null; // what is to be shown once it stands

  /** `host` as of host.mjs. */
  constructor(store, host) {
    this.#store = store;
    this.#host = {
      ...host,
      open: (id) => this.open(id),
      back: () => this.back(),
      changed: (row) => this.take(row, row.state),
    };
  }

  /** Into the host's element; some versions ask for it again while it stands there. */
  mount(element) {
    if (this.#root?.parentNode === element) return;
    this.unmount();
    tryPicturesAgain();
    this.#root = el("div", { class: "sora-jobs", onkeydown: (event) => this.#key(event) });
    element.replaceChildren(this.#root);
    element.style.height = "100%";
    this.#store.filter = { state: "", search: "" };
    this.#build();
    takeDrops(this.#root, (file) => this.#host.attempt(() => this.#dropped(file)));
    const timer = setInterval(() => this.#tick(), TICK_MS);
    this.#ends.push(() => clearInterval(timer));
    this.#store.reset();
    const wish = this.#wish;
    this.#wish = null;
    wish?.();
  }

  /** Do it as soon as the tab is on the screen. */
  whenShown(show) {
    if (this.shown) show();
    else this.#wish = show;
  }

  unmount() {
    clearTimeout(this.#typing);
    for (const end of [...this.#ends, this.#unwatch]) end();
    this.#list?.end();
    this.#root?.remove();
    this.#ends = [];
    this.#root = this.#view = this.#list = null;
  }

  /** Other words: build it anew, with the same view. */
  rebuild() {
    if (!this.#root) return;
    const view = this.#view;
    clearTimeout(this.#typing);
    this.#list.end();
    this.#build();
    this.#store.reset(); // what the server says in words is in another language, too
    if (view instanceof Settings) this.settings();
    else if (view instanceof Costs) this.costs();
    else if (view) this.open(view.id);
  }

  /** An event of the server, or an answer with a changed row. */
  take(row, was) {
    this.#heard += 1;
    this.#store.take(row, was);
    if (this.#view instanceof Detail) this.#view.take(row);
    if (this.#view instanceof Costs && was !== row.state) this.#view.stale = true;
    if (!this.#root || was === row.state) return;
    const text = say("now", { prompt: promptOf(row).slice(0, 60), state: stateOf(row, Date.now() / 1000) });
    write(this.#parts.live, text);
  }

  /** Is it on the screen? */
  get shown() {
    return !!this.#root?.isConnected;
  }

  /** Read again what no event told; `back` says that the server was away. */
  async look(back = false) {
    if (back) tryPicturesAgain();
    await this.#store.refresh();
    const [view, heard] = [this.#view, this.#heard];
    if (view instanceof Costs) view.stale = true;
    if (!(view instanceof Detail)) return;
    const told = await this.#host.get(`/sora/history/${view.id}`);
    if (view === this.#view && heard === this.#heard) view.show(told);
  }

  async open(id) {
    const asked = (this.#asked += 1);
    await this.#host.attempt(async () => {
      const told = await this.#host.get(`/sora/history/${id}`);
      if (asked === this.#asked && this.#root) this.#put(new Detail(told, this.#host));
    });
  }

  settings() {
    this.#asked += 1;
    const settings = new Settings(this.#host);
    this.#put(settings);
    return this.#host.attempt(() => settings.load());
  }

  costs() {
    this.#asked += 1;
    const costs = new Costs(this.#host);
    this.#put(costs);
    return costs.load();
  }

  /** Settings or keys are others now: show them, if they are shown. */
  refreshSettings() {
    if (this.#view instanceof Settings) this.#host.attempt(() => this.#view.load());
  }

  back() {
    this.#asked += 1;
    const { id } = this.#view ?? {};
    const opener = this.#view instanceof Costs ? this.#parts.costs : this.#parts.gear;
    this.#view?.element.remove();
    this.#view = null;
    this.#parts.home.hidden = false;
    if (!id || !this.#list.focus(id)) opener.focus();
  }

  #build() {
    const search = el("input", {
      type: "search",
      "aria-label": say("search"),
      placeholder: say("search"),
      value: this.#store.filter.search,
      maxlength: 200,
    });
    const states = STATES.map((value) => el("option", { value, text: say(value ? `only_${value}` : "all") }));
    const select = el("select", { "aria-label": say("filter"), onchange: () => this.#narrow(search, select) }, states);
    select.value = this.#store.filter.state;
    search.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#narrow(search, select), TYPED_MS);
    });
    const costs = button("chart-bar", say("costs"), () => this.costs(), { bare: true });
    const gear = button("cog", say("settings"), () => this.settings(), { bare: true });
    const status = el("div", { class: "sora-status", role: "status" });
    const live = el("div", { class: "sora-heard", role: "status", "aria-live": "polite" });
    const make = (id) => makeCard(id, { url: this.#host.url, open: (one) => this.open(one) });
    this.#list = new List(this.#store, HEIGHT, say("tab"), make);
    const bar = el("div", { class: "sora-top" }, search, select, costs, gear);
    const home = el(
      "div",
      { class: "sora-home" },
      bar,
      status,
      this.#list.element,
      el("p", { class: "sora-quiet sora-foot", text: say("drop") }),
    );
    this.#root.replaceChildren(home, live);
    this.#parts = { home, costs, gear, status, live };
    this.#view = null;
    this.#unwatch();
    this.#unwatch = this.#store.watch((id) => id === undefined && this.#state());
    this.#state();
  }

  #put(view) {
    this.#view?.element.remove();
    this.#view = view;
    this.#parts.home.hidden = true;
    this.#root.append(view.element);
    view.element.querySelector("h2").focus();
  }

  #narrow(search, select) {
    clearTimeout(this.#typing);
    this.#list.element.scrollTop = 0;
    this.#store.reset({ state: select.value, search: search.value.trim() });
  }

  /** What there is to say in place of rows. */
  #state() {
    const { ids, loading, error, filter } = this.#store;
    const empty = say(filter.search || filter.state ? "no_match" : "empty");
    const text = error || (ids.length ? "" : loading ? say("loading") : empty);
    if (text === this.#parts.status.dataset.said) return; // the button keeps the keyboard
    this.#parts.status.dataset.said = text;
    const again = error && button("refresh", say("retry"), () => this.#store.again());
    this.#parts.status.replaceChildren(...[text, again].filter(Boolean));
  }

  #ticks = 0;
  #tick() {
    if (!this.#root?.isConnected) return this.unmount(); // some versions do not say that the tab is closed
    if (document.hidden) return;
    this.#ticks += 1;
    this.#list.tick(this.#ticks % AGES_EVERY !== 0);
    this.#view?.tick?.();
  }

  async #dropped(file) {
    this.#host.say(say("looking_at", { name: file.name }));
    const id = await jobOf(file, this.#host.get);
    if (id) await this.open(id);
    else this.#host.say(say("no_job", { name: file.name }), "warn");
  }

  #key(event) {
    if (event.key !== "Escape" || !this.#view) return;
    event.stopPropagation();
    this.back();
  }
}
