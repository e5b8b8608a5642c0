/** The page "Costs": what the jobs cost, as a chart and as a table of the same numbers. */

import { button, el, refill } from "./dom.mjs";
import { dollars, seconds } from "./figures.mjs";
import { KINDS, amountsOf, makeLegend, makePlot, plotted } from "./plot.mjs";
import { say } from "./words.mjs";

const BY = { day: "by_day", week: "by_week", model: "by_model", provider: "by_provider", project: "by_project" };
const SINCE = {
  "7d": "since_7",
  "30d": "since_30",
  "90d": "since_90",
  "365d": "since_365",
  "": "since_ever",
  date: "since_date",
};
const WORDS = { charged: "charged", estimated: "estimated", uncertain: "uncertain", failed: "failed_costs" };
const UPRIGHT = ["day", "week"];

let chosen = { by: "day", since: "30d", date: "" }; // as long as the page is open

/** A part that stands apart: how many jobs, and their estimated price. */
const apart = (row, part) =>
  row[`${part}_jobs`] ? say("apart", { count: row[`${part}_jobs`], usd: dollars(row[`${part}_usd`]) }) : "–";

/** [heading, cell of a row] of each column but the first. */
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
  #asked = 0; // an answer to an earlier choice counts no more
  #sum = el("p", { class: "sora-sum", role: "status" }); // what a screen reader is told of another choice
  #body = el("div");

  /** `host` has get, attempt and back(). */
  constructor(host) {
    this.#host = host;
    const back = button("arrow-left", say("back"), () => host.back(), { bare: true, "data-key": "back" });
    const top = el("div", { class: "sora-top" }, back, el("h2", { text: say("costs"), tabindex: -1 }));
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
    const asked = (this.#asked += 1);
    if (!this.#sum.firstChild) this.#sum.append(say("loading"));
    try {
      const told = await this.#host.get(`/sora/costs?${new URLSearchParams({ by, since: from })}`);
      if (asked === this.#asked) this.show(told);
    } catch (error) {
      if (asked !== this.#asked) return;
      const again = button("refresh", say("retry"), () => this.load(), { "data-key": "retry" });
      this.#sum.replaceChildren(el("span", { class: "sora-trouble", text: error.message }));
      refill(this.#body, again);
    }
  }

  show({ by, rows, total, more }) {
    const upright = UPRIGHT.includes(by);
    const nameOf = (row) => row.name || say("no_name");
    const kinds = KINDS.filter((kind) => amountsOf(total)[kind] > 0);
    const told = (row) =>
      `${nameOf(row)}: ${KINDS.map((kind) => said(row, kind))
        .filter(Boolean)
        .join(", ")}`;
    const usd = dollars(total.usd);
    const title = say("costs_title", { by: say(BY[by]), usd });
    const axes = [say(BY[by]), say("in_dollars")];
    const left = rows.length - plotted(rows, upright).length;
    this.#sum.replaceChildren(el("strong", { text: usd }), ` ${say("costs_sum", { count: total.jobs })}`);
    refill(
      this.#body,
      kinds.length && makePlot(rows, { upright, title, axes, told, nameOf }),
      kinds.length && makeLegend(kinds, (kind) => say(WORDS[kind])),
      left && el("p", { class: "sora-quiet", text: say("plot_part", { count: rows.length - left }) }),
      rows.length ? table(by, rows, total, nameOf) : el("p", { text: say("no_costs") }),
      more && el("p", { class: "sora-quiet", text: say("table_part", { count: more }) }),
      notes(total),
    );
  }

  #choices() {
    const select = (key, words, label) => {
      const options = Object.entries(words).map(([value, word]) => el("option", { value, text: say(word) }));
      const made = el(
        "select",
        { "aria-label": say(label), "data-key": key, onchange: () => choose(key, made.value) },
        options,
      );
      made.value = chosen[key];
      return made;
    };
    const date = el("input", {
      type: "date",
      "aria-label": say("since_date"),
      "data-key": "date",
      value: chosen.date,
      onchange: () => choose("date", date.value),
    });
    const choose = (key, value) => {
      chosen = { ...chosen, [key]: value };
      date.hidden = chosen.since !== "date";
      this.load();
    };
    date.hidden = chosen.since !== "date";
    return el("div", { class: "sora-pair" }, select("by", BY, "costs_by"), select("since", SINCE, "costs_since"), date);
  }
}

const said = (row, kind) => (amountsOf(row)[kind] > 0 ? `${say(WORDS[kind])} ${dollars(amountsOf(row)[kind])}` : "");

function table(by, rows, total, nameOf) {
  const head = (text) => el("th", { scope: "col", text });
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
    "aria-label": say("costs_table"),
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
          head(say(BY[by])),
          COLUMNS.map(([key]) => head(say(key))),
        ),
      ),
      el(
        "tbody",
        {},
        shown.map((row) => line(nameOf(row), row)),
      ),
      el("tfoot", {}, line(say("total"), total)),
    ),
  );
}

/** Days and weeks without a job are in the chart only. */
const isSomething = (row) => row.jobs || row.uncertain_jobs || row.failed_jobs;

function notes(total) {
  const texts = [
    say("costs_why"),
    total.unpriced && say("costs_unpriced", { count: total.unpriced }),
    total.uncertain_jobs && say("costs_uncertain"),
    total.failed_jobs && say("costs_failed"),
  ];
  return texts.filter(Boolean).map((text) => el("p", { class: "sora-quiet", text }));
}
