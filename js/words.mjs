/** The page's texts, in the language that language.mjs decides on. The tables are words.<language>.mjs, and for errors
 * errors.<language>.mjs. */

/** @import { Failure, RefreshResponse } from "./types.d.ts" */

import { WORDS as ENGLISH } from "./words.en.mjs";

/**
 * Languages, as they call themselves. All but English are read at first use.
 *
 * @type {Record<string, string>}
 */
export const LANGUAGES = { en: "English", vi: "Tiếng Việt", zh: "简体中文" };
export const TITLE = "Sora Jobs"; // a name; it is not translated

const MOST = 12; // ids in one toast

/** @type {Record<string, string>} */
const FALLBACK = ENGLISH;
let [language, words] = ["en", FALLBACK];
/**
 * What kinds of errors are called; null for English, which the server says better than a table.
 *
 * @type {null | { charge: Record<string, string>, labels: Record<string, string>,
 *   kind: Record<string, { what: string, do: string } | undefined> }}
 */
let errors = null;

export const currentLanguage = () => language;

/**
 * Use a language from now on; English in place of one that there is not.
 *
 * @param {string} [name]
 */
export async function setLanguage(name = "") {
  const wanted = Object.hasOwn(LANGUAGES, name) ? name : "en";
  const [table, named] = await Promise.all([
    import(`./words.${wanted}.mjs`),
    wanted === "en" ? { ERRORS: null } : import(`./errors.${wanted}.mjs`),
  ]);
  [language, words, errors] = [wanted, table.WORDS, named.ERRORS];
}

/**
 * The text of a key, with the values in the places of their names. One that the language lacks is English.
 *
 * @param {string} key
 * @param {object} [values]
 */
export function t(key, values = {}) {
  const given = new Map(Object.entries(values));
  return (words[key] ?? FALLBACK[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(given.get(name)));
}

/**
 * Is there such a text? For keys that are made of what the server sends.
 *
 * @param {string} key
 */
export const hasText = (key) => Object.hasOwn(ENGLISH, key);

/**
 * An error of the server in the page's language, as messages.py has it; what has no kind is shown as it came.
 *
 * @param {Partial<Failure> & { error?: string }} told
 */
export function errorText({ error = "", kind = "", values }) {
  const said = errors?.kind[kind];
  if (!errors || !said || !values) return error;
  const { cause = "", charge = "", message, hint, job, request_id: request } = values;
  const { labels } = errors;
  const names = [job && `${labels.job} ${job}`, request && `${labels.request} ${request}`].filter(Boolean).join(", ");
  return [
    said.what,
    errors.kind[cause]?.what,
    errors.charge[charge],
    said.do.replaceAll("{job}", job || "JOB"),
    labels.in_full,
    message,
    hint,
    names && `(${names})`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** @param {string[]} ids */
function listed(ids) {
  const shown = ids.slice(0, MOST).join(", ");
  return ids.length > MOST ? t("and_more", { shown, count: ids.length - MOST }) : shown || t("none");
}

/**
 * Lengths and sizes that a model does not make and that became others.
 *
 * @param {string} model
 * @param {[widget: string, from: string, to: string][]} moves
 */
export const movedText = (model, moves) =>
  t("moved", { model, moves: moves.map(([name, from, to]) => t("moved_one", { name, from, to })).join(", ") });

/**
 * What a refresh of the models brought.
 *
 * @param {RefreshResponse} brought
 */
export function refreshedText({ added, gone, changed, doubtful }) {
  const text = t("refreshed", { added: listed(added), gone: listed(gone), changed: listed(changed) });
  return doubtful.length ? `${text} ${t("refreshed_doubtful", { doubtful: listed(doubtful) })}` : text;
}
