/** The settings: keys, balance, budget, rescue, language, notifications, and the doctor. A key goes in once and never
 * comes back. */

import { Balances } from "./balance.mjs";
import { button, el, refill, write } from "./dom.mjs";
import { dollars } from "./figures.mjs";
import { LANGUAGES, known, say } from "./words.mjs";

const KEYS = { "none needed": "key_none", unset: "key_unset", set: "key_set", environment: "key_environment" };
const HINDRANCES = { insecure: "notify_insecure", unsupported: "notify_unsupported", denied: "notify_denied" };
const ICONS = { ok: "check-circle", warning: "exclamation-triangle", failed: "times-circle" };

/** Why something may not be changed here: {code, by} of the server, or nothing. */
const why = (reason) =>
  known(`why_${reason?.code}`) && el("p", { class: "sora-quiet", text: say(`why_${reason.code}`, reason) });
const titled = (key, ...children) => el("section", {}, el("h3", { text: say(key) }), children);

export class Settings {
  element;
  #host;
  #balances;
  #body = el("div");
  #doctor = el("div", { role: "status" });

  /** `host` has get, post, attempt, confirm, say, back(), bell and spoken(settings), which takes the language up. */
  constructor(host) {
    this.#host = host;
    this.#balances = new Balances(host);
    const back = button("arrow-left", say("back"), () => host.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, el("h2", { text: say("settings"), tabindex: -1 }));
    const run = button("heart", say("run_doctor"), () => host.attempt(() => this.#examine(run)), {
      "data-key": "doctor",
    });
    this.element = el(
      "div",
      { class: "sora-settings sora-scroll" },
      top,
      this.#body,
      titled("doctor", run, this.#doctor),
    );
  }

  /** Read them, and show them. */
  async load() {
    this.show(await this.#host.get("/sora/settings"));
  }

  show(settings) {
    const { may, budget } = settings;
    const reason = settings.why ?? {};
    refill(
      this.#body,
      titled(
        "providers",
        settings.providers.map((one) => this.#provider(one, may.keys)),
        why(reason.keys),
      ),
      titled("language", this.#language(settings), why(reason.language)),
      this.#rescue(settings),
      why(reason.rescue),
      titled("notifications", this.#notify()),
      titled(
        "budget",
        this.#amount("per_day", "usd_per_day", budget, may.budget),
        this.#amount("per_job", "usd_per_job", budget, may.budget),
        budget.spent_usd != null && el("p", { text: say("spent", { usd: dollars(budget.spent_usd) }) }),
        why(reason.budget),
      ),
    );
  }

  #send(path, body) {
    return this.#host.attempt(async () => {
      try {
        const settings = await this.#host.post(path, body);
        await this.#host.spoken(settings);
        this.show(settings);
      } catch (error) {
        await this.load().catch(() => {}); // what is shown is what is kept
        throw error;
      }
      this.#host.say(say("saved"));
    });
  }

  #provider({ name, key, ends_in: end, url, error, balance }, may) {
    const stands = error || (known(KEYS[key]) ? say(KEYS[key], { end }) : key);
    const words = el(
      "div",
      { title: url },
      el("strong", { text: name }),
      el("span", { class: "sora-quiet", text: ` ${stands}` }),
    );
    const left = balance && may && this.#balances.line(name);
    if (key === "none needed" || key === "environment" || !may) return el("div", { class: "sora-box" }, words, left);
    const label = say("key_of", { provider: name });
    const given = {
      type: "password",
      autocomplete: "off",
      "aria-label": label,
      placeholder: label,
      "data-key": `key-${name}`,
    };
    const input = el("input", given);
    const save = (event) => {
      event.preventDefault();
      const typed = input.value.trim();
      input.value = ""; // before anything else: it is nowhere in the page any more
      if (typed) this.#sendKey(name, typed);
    };
    const remove = async () =>
      (await this.#host.confirm(say("ask_remove", { provider: name }))) && this.#sendKey(name, "");
    const form = el(
      "form",
      { class: "sora-pair", onsubmit: save },
      input,
      button("", say("save"), null, { type: "submit", "data-key": `save-${name}` }),
      key === "set" && button("trash", say("remove"), remove, { bare: true, "data-key": `remove-${name}` }),
    );
    return el("div", { class: "sora-box" }, words, form, left);
  }

  #sendKey(provider, key) {
    this.#balances.forget(provider);
    return this.#send("/sora/keys", { provider, key });
  }

  #language({ language, may }) {
    const choose = (event) => this.#send("/sora/settings", { language: event.target.value });
    const options = Object.entries(LANGUAGES).map(([value, text]) => el("option", { value, text, lang: value }));
    const given = { "aria-label": say("language"), disabled: !may.language, onchange: choose, "data-key": "language" };
    const select = el("select", given, options);
    select.value = language;
    return select;
  }

  #rescue({ rescue, may }) {
    const change = (event) => this.#send("/sora/settings", { rescue: event.target.checked });
    const box = el("input", {
      type: "checkbox",
      checked: rescue,
      disabled: !may.rescue,
      onchange: change,
      "data-key": "rescue",
    });
    return el("label", { class: "sora-check" }, box, el("span", { text: say("rescue") }));
  }

  #notify() {
    const { bell } = this.#host;
    const sentence = () => say(HINDRANCES[bell.hindrance] ?? "notify_dismissed");
    const why = el("p", { class: "sora-quiet", role: "status", id: "sora-notify-why" });
    if (bell.hindrance) why.textContent = sentence();
    const change = async ({ target }) => {
      const wanted = target.checked;
      await bell.turn(wanted); // before anything else: the browser asks in a click only
      target.checked = bell.on;
      write(why, wanted && !bell.on ? sentence() : "");
    };
    const box = el("input", {
      type: "checkbox",
      checked: bell.on,
      disabled: ["insecure", "unsupported"].includes(bell.hindrance),
      onchange: change,
      "aria-describedby": why.id,
      "data-key": "notify",
    });
    return [el("label", { class: "sora-check" }, box, el("span", { text: say("notify") })), why];
  }

  #amount(label, name, budget, may) {
    if (!may) return el("p", { text: `${say(label)}: ${dollars(budget[name])}` });
    const change = (event) =>
      event.target.reportValidity() && this.#send("/sora/settings", { [name]: event.target.valueAsNumber });
    const given = {
      type: "number",
      min: 0,
      step: "any",
      required: true,
      value: budget[name],
      onchange: change,
      "data-key": name,
    };
    return el("label", { class: "sora-amount" }, el("span", { text: say(label) }), el("input", given));
  }

  async #examine(run) {
    run.disabled = true;
    this.#doctor.replaceChildren(el("p", { text: say("doctor_runs") }));
    try {
      const { findings } = await this.#host.post("/sora/doctor");
      this.#doctor.replaceChildren(el("ul", { class: "sora-findings" }, findings.map(finding)));
    } catch (error) {
      this.#doctor.replaceChildren();
      throw error;
    } finally {
      run.disabled = false;
    }
  }
}

function finding({ name, level, text }) {
  const word = known(`level_${level}`) ? say(`level_${level}`) : level;
  return el(
    "li",
    { "data-level": level },
    el("i", { class: `pi pi-${ICONS[level] ?? "info-circle"}`, "aria-hidden": "true" }),
    el("div", {}, el("strong", { text: `${word}: ${name}` }), el("div", { text })),
  );
}
