/** The settings: keys, balance, budget, background downloads, language, notifications, and the doctor. A key goes in once and never
 * comes back. */

/** @import { Attributes, Budget, Child, Finding, Host, Navigation, ProviderSettings, Reason, SettingsResponse } from "./types.d.ts" */
/** @import { Bell } from "./notify.mjs" */

import { Balances } from "./balance.mjs";
import { button, el, replaceChildren, setText } from "./dom.mjs";
import { dollars } from "./figures.mjs";
import { chooseLanguage, chosenLanguage } from "./language.mjs";
import { LANGUAGES, hasText, t } from "./words.mjs";

/** @type {Record<string, string>} */
const KEYS = { "none needed": "key_none", unset: "key_unset", set: "key_set", environment: "key_environment" };
/** @type {Record<string, string>} */
const HINDRANCES = { insecure: "notify_insecure", unsupported: "notify_unsupported", denied: "notify_denied" };
/** @type {Record<string, string>} */
const ICONS = { ok: "check-circle", warning: "exclamation-triangle", failed: "times-circle" };

/**
 * Why something may not be changed here, if it may not.
 *
 * @param {Reason} [reason]
 */
const why = (reason) =>
  reason && hasText(`why_${reason.code}`) && el("p", { class: "sora-quiet", text: t(`why_${reason.code}`, reason) });
/**
 * @param {string} key
 * @param {...Child} children
 */
const titled = (key, ...children) => el("section", {}, el("h3", { text: t(key) }), children);

/**
 * A list of all languages.
 *
 * @param {Attributes} given
 * @param {...Child} before options before them
 * @returns {HTMLSelectElement}
 */
const languages = (given, ...before) =>
  el(
    "select",
    given,
    before,
    Object.entries(LANGUAGES).map(([value, text]) => el("option", { value, text, lang: value })),
  );

export class Settings {
  element;
  #host;
  #bell;
  #balances;
  #body = el("div");
  #doctor = el("div", { role: "status" });

  /**
   * @param {Host} host
   * @param {Bell} bell
   * @param {Navigation} view
   */
  constructor(host, bell, view) {
    this.#host = host;
    this.#bell = bell;
    this.#balances = new Balances(host);
    const back = button("arrow-left", t("back"), () => view.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, el("h2", { text: t("settings"), tabindex: -1 }));
    /** @type {HTMLButtonElement} */
    const run = button("heart", t("run_doctor"), () => host.attempt(() => this.#examine(run)), {
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

  /** @param {SettingsResponse} settings */
  show(settings) {
    const { may, budget } = settings;
    const reason = settings.why ?? {};
    replaceChildren(
      this.#body,
      titled(
        "providers",
        settings.providers.map((one) => this.#provider(one, may.keys)),
        why(reason.keys),
      ),
      titled("language", this.#pageLanguage(), this.#language(settings), why(reason.language)),
      this.#backgroundDownloads(settings),
      why(reason.background_downloads),
      titled("notifications", this.#notify()),
      titled(
        "budget",
        this.#amount("per_day", "usd_per_day", budget, may.budget),
        this.#amount("per_job", "usd_per_job", budget, may.budget),
        budget.spent_usd != null && el("p", { text: t("spent", { usd: dollars(budget.spent_usd) }) }),
        why(reason.budget),
      ),
    );
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  #send(path, body) {
    return this.#host.attempt(async () => {
      try {
        /** @type {SettingsResponse} */
        const settings = await this.#host.post(path, body);
        this.#host.useSettings(settings);
        this.show(settings);
      } catch (error) {
        await this.load().catch(() => {}); // what is shown is what is kept
        throw error;
      }
      this.#host.toast(t("saved"));
    });
  }

  /**
   * @param {ProviderSettings} provider
   * @param {boolean} may
   */
  #provider({ name, key, ends_in: end, url, error, balance }, may) {
    const state = error || (hasText(KEYS[key]) ? t(KEYS[key], { end }) : key);
    const words = el(
      "div",
      { title: url },
      el("strong", { text: name }),
      el("span", { class: "sora-quiet", text: ` ${state}` }),
    );
    const left = balance && may && this.#balances.line(name);
    if (key === "none needed" || key === "environment" || !may) return el("div", { class: "sora-box" }, words, left);
    const label = t("key_of", { provider: name });
    const given = {
      type: "password",
      autocomplete: "off",
      "aria-label": label,
      placeholder: label,
      "data-key": `key-${name}`,
    };
    const input = el("input", given);
    /** @param {Event} event */
    const save = (event) => {
      event.preventDefault();
      const typed = input.value.trim();
      input.value = ""; // before anything else: it is nowhere in the page any more
      if (typed) this.#sendKey(name, typed);
    };
    const remove = async () =>
      (await this.#host.confirm(t("ask_remove", { provider: name }))) && this.#sendKey(name, "");
    const form = el(
      "form",
      { class: "sora-pair", onsubmit: save },
      input,
      button("", t("save"), null, { type: "submit", "data-key": `save-${name}` }),
      key === "set" && button("trash", t("remove"), remove, { bare: true, "data-key": `remove-${name}` }),
    );
    return el("div", { class: "sora-box" }, words, form, left);
  }

  /**
   * @param {string} provider
   * @param {string} key
   */
  #sendKey(provider, key) {
    this.#balances.forget(provider);
    return this.#send("/sora/keys", { provider, key });
  }

  /** Of this page: a matter of this browser, which the server is not told. */
  #pageLanguage() {
    const choose = () => {
      chooseLanguage(select.value);
      this.#host.attempt(() => this.#host.useLanguage());
    };
    const given = { onchange: choose, "data-key": "page_language" };
    const select = languages(given, el("option", { value: "", text: t("as_comfyui") }));
    select.value = chosenLanguage();
    return el("label", { class: "sora-amount" }, el("span", { text: t("page_language") }), select);
  }

  /**
   * Of what is said outside of the page.
   *
   * @param {SettingsResponse} settings
   */
  #language({ language, may }) {
    const choose = () => this.#send("/sora/settings", { language: select.value });
    const select = languages({ disabled: !may.language, onchange: choose, "data-key": "language" });
    select.value = language;
    return el("label", { class: "sora-amount" }, el("span", { text: t("server_language") }), select);
  }

  /** @param {SettingsResponse} settings */
  #backgroundDownloads({ background_downloads: on, may }) {
    const change = () => this.#send("/sora/settings", { background_downloads: box.checked });
    /** @type {HTMLInputElement} */
    const box = el("input", {
      type: "checkbox",
      checked: on,
      disabled: !may.background_downloads,
      onchange: change,
      "data-key": "background_downloads",
    });
    return el("label", { class: "sora-check" }, box, el("span", { text: t("background_downloads") }));
  }

  #notify() {
    const bell = this.#bell;
    const sentence = () => t(HINDRANCES[bell.hindrance] ?? "notify_dismissed");
    const why = el("p", { class: "sora-quiet", role: "status", id: "sora-notify-why" });
    if (bell.hindrance) why.textContent = sentence();
    const change = async () => {
      const wanted = box.checked;
      await bell.switchTo(wanted); // before anything else: the browser asks in a click only
      box.checked = bell.on;
      setText(why, wanted && !bell.on ? sentence() : "");
    };
    /** @type {HTMLInputElement} */
    const box = el("input", {
      type: "checkbox",
      checked: bell.on,
      disabled: ["insecure", "unsupported"].includes(bell.hindrance),
      onchange: change,
      "aria-describedby": why.id,
      "data-key": "notify",
    });
    return [el("label", { class: "sora-check" }, box, el("span", { text: t("notify") })), why];
  }

  /**
   * @param {string} label
   * @param {"usd_per_day" | "usd_per_job"} name
   * @param {Budget} budget
   * @param {boolean} may
   */
  #amount(label, name, budget, may) {
    if (!may) return el("p", { text: `${t(label)}: ${dollars(budget[name])}` });
    const change = () => input.reportValidity() && this.#send("/sora/settings", { [name]: input.valueAsNumber });
    const given = {
      type: "number",
      min: 0,
      step: "any",
      required: true,
      value: budget[name],
      onchange: change,
      "data-key": name,
    };
    /** @type {HTMLInputElement} */
    const input = el("input", given);
    return el("label", { class: "sora-amount" }, el("span", { text: t(label) }), input);
  }

  /** @param {HTMLButtonElement} run */
  async #examine(run) {
    run.disabled = true;
    this.#doctor.replaceChildren(el("p", { text: t("doctor_runs") }));
    try {
      /** @type {{ findings: Finding[] }} */
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

/** @param {Finding} found */
function finding({ name, level, text }) {
  const word = hasText(`level_${level}`) ? t(`level_${level}`) : level;
  return el(
    "li",
    { "data-level": level },
    el("i", { class: `pi pi-${ICONS[level] ?? "info-circle"}`, "aria-hidden": "true" }),
    el("div", {}, el("strong", { text: `${word}: ${name}` }), el("div", { text })),
  );
}
