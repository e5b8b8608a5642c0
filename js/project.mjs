/** What a job was bought for: a field that can be changed. It stays in the ledger. */

import { button, el } from "./dom.mjs";
import { say } from "./words.mjs";

const LONGEST = 100; // characters, as in nodes/sora/spec.py

/** Its element and `show(row)`, which leaves alone what is being typed. `host` has post, attempt, say and changed(row). */
export function makeProject(id, host) {
  let kept = "";
  const input = el("input", {
    type: "text",
    "aria-label": say("project"),
    placeholder: say("no_name"),
    maxlength: LONGEST,
    "data-key": "project",
  });
  const save = async () => {
    const { job } = await host.post(`/sora/history/${id}/project`, { project: input.value });
    input.value = kept = job.project;
    host.changed(job);
    host.say(say("saved"));
  };
  const submit = (event) => {
    event.preventDefault();
    host.attempt(save);
  };
  const element = el(
    "form",
    { class: "sora-pair", onsubmit: submit },
    input,
    button("", say("save"), null, { type: "submit", "data-key": "save-project" }),
  );
  function show({ project = "" }) {
    if (input.value === kept) input.value = project;
    kept = project;
  }
  return { element, show };
}
