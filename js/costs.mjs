/** The page "Costs": what the jobs cost, as a chart and as a table of the same numbers. */

/** @import { Cost, CostsResponse, Host, Navigation } from "./types.d.ts" */
/** @import { Kind } from "./plot.mjs" */

import { button, el, replaceChildren } from "./dom.mjs";
import { dollars, seconds } from "./figures.mjs";
import { messageOf } from "./host.mjs";
import { KINDS, amountsOf, makeLegend, makePlot, plotted } from "./plot.mjs";
import { t } from "./words.mjs";

/** @type {Record<CostsResponse["by"], string>} */
const BY = { day: "by_day", week: "by_week", model: "by_model", provider: "by_provider", project: "by_project" };
const SINCE = {
  "7d": "since_7",
  "30d": "since_30",
  "90d": "since_90",
  "365d": "since_365",
  "": "since_ever",
  date: "since_date",
};
/** @type {Record<Kind, string>} */
const WORDS = { charged: "charged", estimated: "estimated", uncertain: "uncertain", failed: "failed_costs" };
const UPRIGHT = ["day", "week"];

/** @type {{ by: string, since: string, date: string }} */
let chosen = { by: "day", since: "30d", date: "" }; // as long as the page is open

/**
 * A part that is apart: how many jobs, and their estimated price.
 *
 * @param {Cost} row
 * @param {"uncertain" | "failed"} part
 */
const apart = (row, part) =>
  row[`${part}_jobs`] ? t("apart", { count: row[`${part}_jobs`], usd: dollars(row[`${part}_usd`]) }) : "–";

/** @type {[heading: string, cell: (row: Cost) => string | number][]} each column but the first */
const COLUMNS = [
  ["known_cost", (row) => (row.jobs && row.jobs === row.unpriced ? "?" : dollars(row.usd))],
  ["jobs", (row) => row.jobs],
  ["charged", (row) => (row.charged_jobs ? dollars(row.charged_usd) : "–")],
  ["estimated", (row) => dollars(amountsOf(row).estimated)],
  ["uncertain", (row) => apart(row, "uncertain")],
  ["failed_costs", (row) => apart(row, "failed")],
  ["without_price", (row) => row.unpriced || "–"],
  ["length", (row) => (row.seconds ? seconds(row.seconds) : "–")],
];

export class Costs {
  element;
  stale = false; // a job changed since they were read
  #host;
  #requests = 0; // a response to an earlier choice counts no more
  #sum = el("p", { class: "sora-sum", role: "status" }); // what a screen reader is told of another choice
  #body = el("div");

  /**
   * @param {Host} host
   * @param {Navigation} view
   */
  constructor(host, view) {
    this.#host = host;
    const back = button("arrow-left", t("back"), () => view.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, el("h2", { text: t("costs"), tabindex: -1 }));
    this.element = el("div", { class: "sora-costs sora-scroll" }, top, this.#choices(), this.#sum, this.#body);
  }

  /** Once a second: many jobs that change make one question. */
  tick() {
    if (this.stale) this.load();
  }

  /** Read them, and show them. */
  async load() {
    this.stale = false;
    const { by, since, date } = chosen;
    const from = since === "date" ? date : since;
    if (since === "date" && !date) return; // not chosen yet
    const request = (this.#requests += 1);
    if (!this.#sum.firstChild) this.#sum.append(t("loading"));
    try {
      /** @type {CostsResponse} */
      const told = await this.#host.get(`/sora/costs?${new URLSearchParams({ by, since: from })}`);
      if (request === this.#requests) this.show(told);
    } catch (error) {
      if (request !== this.#requests) return;
      const again = button("refresh", t("retry"), () => this.load(), { "data-key": "retry" });
      this.#sum.replaceChildren(el("span", { class: "sora-trouble", text: messageOf(error) }));
      replaceChildren(this.#body, again);
    }
  }

  /** @param {CostsResponse} response */
  show({ by, rows, total, more }) {
    const upright = UPRIGHT.includes(by);
    /** @param {Cost} row */
    const nameOf = (row) => row.name || t("no_name");
    const kinds = KINDS.filter((kind) => amountsOf(total)[kind] > 0);
    /** @param {Cost} row */
    const told = (row) =>
      `${nameOf(row)}: ${KINDS.map((kind) => amountText(row, kind))
        .filter(Boolean)
        .join(", ")}`;
    const usd = dollars(total.usd);
    const title = t("costs_title", { by: t(BY[by]), usd });
    /** @type {[names: string, dollars: string]} */
    const axes = [t(BY[by]), t("in_dollars")];
    const left = rows.length - plotted(rows, upright).length;
    this.#sum.replaceChildren(el("strong", { text: usd }), ` ${t("costs_sum", { count: total.jobs })}`);
    replaceChildren(
      this.#body,
      kinds.length && makePlot(rows, { upright, title, axes, told, nameOf }),
      kinds.length && makeLegend(kinds, (kind) => t(WORDS[kind])),
      left && el("p", { class: "sora-quiet", text: t("plot_part", { count: rows.length - left }) }),
      rows.length ? table(by, rows, total, nameOf) : el("p", { text: t("no_costs") }),
      more && el("p", { class: "sora-quiet", text: t("table_part", { count: more }) }),
      notes(total),
    );
  }

  #choices() {
    /**
     * @param {"by" | "since"} key
     * @param {Record<string, string>} words
     * @param {string} label
     */
    const select = (key, words, label) => {
      const options = Object.entries(words).map(([value, word]) => el("option", { value, text: t(word) }));
      /** @type {HTMLSelectElement} */
      const made = el(
        "select",
        { "aria-label": t(label), "data-key": key, onchange: () => choose(key, made.value) },
        options,
      );
      made.value = chosen[key];
      return made;
    };
    /** @type {HTMLInputElement} */
    const date = el("input", {
      type: "date",
      "aria-label": t("since_date"),
      "data-key": "date",
      value: chosen.date,
      onchange: () => choose("date", date.value),
    });
    /**
     * @param {"by" | "since" | "date"} key
     * @param {string} value
     */
    const choose = (key, value) => {
      chosen = { ...chosen, [key]: value };
      date.hidden = chosen.since !== "date";
      this.load();
    };
    date.hidden = chosen.since !== "date";
    return el("div", { class: "sora-pair" }, select("by", BY, "costs_by"), select("since", SINCE, "costs_since"), date);
  }
}

/**
 * @param {Cost} row
 * @param {Kind} kind
 */
const amountText = (row, kind) =>
  amountsOf(row)[kind] > 0 ? `${t(WORDS[kind])} ${dollars(amountsOf(row)[kind])}` : "";

/**
 * @param {CostsResponse["by"]} by
 * @param {Cost[]} rows
 * @param {Cost} total
 * @param {(row: Cost) => string} nameOf
 */
function table(by, rows, total, nameOf) {
  /** @param {string} text */
  const head = (text) => el("th", { scope: "col", text });
  /**
   * @param {string} name
   * @param {Cost} row
   */
  const line = (name, row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", text: name }),
      COLUMNS.map(([, cell]) => el("td", { text: cell(row) })),
    );
  const shown = UPRIGHT.includes(by) ? rows.filter(isSomething).reverse() : rows; // the latest first
  const given = {
    class: "sora-table",
    tabindex: 0,
    role: "region",
    "aria-label": t("costs_table"),
    "data-key": "table",
  };
  return el(
    "div",
    given,
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head(t(BY[by])),
          COLUMNS.map(([key]) => head(t(key))),
        ),
      ),
      el(
        "tbody",
        {},
        shown.map((row) => line(nameOf(row), row)),
      ),
      el("tfoot", {}, line(t("total"), total)),
    ),
  );
}

/**
 * Days and weeks without a job are in the chart only.
 *
 * @param {Cost} row
 */
const isSomething = (row) => row.jobs || row.uncertain_jobs || row.failed_jobs;

/** @param {Cost} total */
function notes(total) {
  const texts = [
    t("costs_why"),
    total.unpriced && t("costs_unpriced", { count: total.unpriced }),
    total.uncertain_jobs && t("costs_uncertain"),
    total.failed_jobs && t("costs_failed"),
  ];
  return texts.map((text) => text && el("p", { class: "sora-quiet", text }));
}
