/** What the catalogue's rows (GET /sora/models) mean for the combos. Plain values in, plain values out. */

/** @import { Model, Status } from "./types.d.ts" */

/**
 * @param {Model[]} models
 * @param {unknown} id
 */
export const modelOf = (models, id) => models.find((model) => model.id === id);

/**
 * Every length and every size that some model takes, in the catalogue's order.
 *
 * @param {Model[]} models
 */
export function allChoices(models) {
  /** @param {"seconds" | "sizes"} name */
  const all = (name) => [
    ...new Set(models.filter((model) => model.is_offered !== false).flatMap((model) => model[name])),
  ];
  return { seconds: all("seconds"), size: all("sizes") };
}

/**
 * The lengths and sizes that a model takes, its defaults first.
 *
 * All there are for an id that no row has, and where it is unknown what the model takes: that is sent as typed.
 *
 * @param {Model[]} models
 * @param {unknown} id
 */
export function choicesFor(models, id) {
  const model = modelOf(models, id);
  const all = allChoices(models);
  return {
    seconds: model?.seconds.length ? model.seconds : all.seconds,
    size: model?.sizes.length ? model.sizes : all.size,
  };
}

/**
 * The values with the current one: a combo without its own value shows it as wrong, or shows another one.
 *
 * @param {unknown[]} values
 * @param {unknown} current
 */
export const withCurrent = (values, current) =>
  values.includes(current) || current === undefined ? values : [current, ...values];

/**
 * "live", "retired" or "unknown" at that provider, with the date of it; "missing" for an id that no row has.
 *
 * @param {Model[]} models
 * @param {unknown} id
 * @param {unknown} provider
 * @returns {Status}
 */
export function statusOf(models, id, provider) {
  const model = modelOf(models, id);
  return model ? (model.status[String(provider)] ?? { state: "unknown", date: "" }) : { state: "missing", date: "" };
}
