/** What the catalogue's rows (GET /sora/models) mean for the combos. Plain values in, plain values out. */

export const rowOf = (models, id) => models.find((model) => model.id === id);

/** Every length and every size that some model takes, in the catalogue's order. */
export function everything(models) {
  const all = (name) => [
    ...new Set(models.filter((model) => model.is_offered !== false).flatMap((model) => model[name])),
  ];
  return { seconds: all("seconds"), size: all("sizes") };
}

/**
 * The lengths and sizes that a model takes, its defaults first.
 *
 * All there are for an id that no row has, and where nobody knows which the model takes: that is sent as typed.
 */
export function allowed(models, id) {
  const row = rowOf(models, id);
  const all = everything(models);
  return {
    seconds: row?.seconds.length ? row.seconds : all.seconds,
    size: row?.sizes.length ? row.sizes : all.size,
  };
}

/** The values with the one that is set: a combo without its own value shows it as wrong, or shows another one. */
export const withOwn = (values, own) => (values.includes(own) || own === undefined ? values : [own, ...values]);

/** "live", "retired" or "unknown" at that provider, with the date of it; "missing" for an id that no row has. */
export function standing(models, id, provider) {
  const row = rowOf(models, id);
  return row ? (row.status[provider] ?? { state: "unknown", date: "" }) : { state: "missing", date: "" };
}
