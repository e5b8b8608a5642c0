/** What the page says. One table, so that it can be translated. */

const MOST = 12; // ids in one toast

function listed(ids) {
  if (ids.length > MOST) return `${ids.slice(0, MOST).join(", ")} and ${ids.length - MOST} more`;
  return ids.join(", ") || "none";
}

export const WORDS = {
  title: "Sora Jobs",
  retired: (model, provider, date) =>
    `${provider} retired ${model} on ${date}. The node still says ${model}, and nothing is sent or bought with it.`,
  missing: (model) =>
    `The list of models has no ${model}. The node still says ${model}; ` +
    "to send it all the same, type it into custom_model.",
  instead: (choice) => `The nearest that lives: ${choice.model}, ${choice.seconds} s, ${choice.size}.`,
  offer: (choice) => `Use ${choice.model}, ${choice.seconds} s, ${choice.size}`,
  ask: (model, choice) => `Use ${choice.model}, ${choice.seconds} s, ${choice.size} in place of ${model}?`,
  moved: (model, moves) =>
    `${model} does not make this: ${moves.map(([name, from, to]) => `${name} ${from} is now ${to}`).join(", ")}.`,
  refresh: "Sora: refresh models",
  refreshed: ({ added, gone, changed }) =>
    `New: ${listed(added)}. No longer listed: ${listed(gone)}. Other price: ${listed(changed)}.`,
  convert: "Sora: convert OpenAI Video Sora nodes",
  nothing: "There is no OpenAI Video Sora node in this workflow.",
  converted: (count) =>
    `Converted: ${count}. Choose the provider in each new node; ` +
    "one that costs money needs its key, which the machine's owner sets.",
  lost: (count) => `Links that did not fit the new nodes: ${count}.`,
  failed: (why) => `That did not work: ${why}`,
};
