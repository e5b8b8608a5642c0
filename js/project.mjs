/** What a job was bought for: a field that can be changed. It stays in the ledger. */

/** @import { Host, JobResponse, Navigation, Row } from "./types.d.ts" */

import { button, el } from "./dom.mjs";
import { t } from "./words.mjs";

const LONGEST = 100; // characters, as in nodes/sora_jobs/jobs/spec.py

/**
 * Its element and `show(row)`, which leaves alone what is being typed.
 *
 * @param {string} id
 * @param {Host} host
 * @param {Navigation} view
 */
export function makeProject(id, host, view) {
  let kept = "";
  const input = el("input", {
    type: "text",
    "aria-label": t("project"),
    placeholder: t("no_name"),
    maxlength: LONGEST,
    "data-key": "project",
  });
  const save = async () => {
    /** @type {JobResponse} */
    const { job } = await host.post(`/sora/history/${id}/project`, { project: input.value });
    input.value = kept = job.project;
    view.changed(job);
    host.toast(t("saved"));
  };
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    host.attempt(save);
  };
  const element = el(
    "form",
    { class: "sora-pair", onsubmit: submit },
    input,
    button("", t("save"), null, { type: "submit", "data-key": "save-project" }),
  );
  /** @param {Pick<Row, "project">} row */
  function show({ project = "" }) {
    if (input.value === kept) input.value = project;
    kept = project;
  }
  return { element, show };
}
