/** What the page says, in the language that GET /sora/settings names. The tables are words.<language>.mjs. */

import { WORDS as ENGLISH } from "./words.en.mjs";

/** Languages, as they call themselves. All but English are read at first use. */
export const LANGUAGES = { en: "English", vi: "Tiếng Việt", zh: "简体中文" };
export const TITLE = "Sora Jobs"; // a name; it is not translated

const MOST = 12; // ids in one toast

let [language, words] = ["en", ENGLISH];

export const spoken = () => language;

/** Speak a language from now on; English in place of one that there is not. */
export async function speak(name) {
  const wanted = Object.hasOwn(LANGUAGES, name) ? name : "en";
  const table = await import(`./words.${wanted}.mjs`);
  [language, words] = [wanted, table.WORDS];
}

/** The words of a key, with the values in the places of their names. */
export const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/** Is there such a word? For keys that are made of what the server says. */
export const known = (key) => Object.hasOwn(ENGLISH, key);

function listed(ids) {
  const shown = ids.slice(0, MOST).join(", ");
  return ids.length > MOST ? say("and_more", { shown, count: ids.length - MOST }) : shown || say("none");
}

/** Lengths and sizes that a model does not make and that became others: [[widget, what it was, what it is], …]. */
export const sayMoved = (model, moves) =>
  say("moved", { model, moves: moves.map(([name, from, to]) => say("moved_one", { name, from, to })).join(", ") });

/** What a refresh of the models brought. */
export function sayRefreshed({ added, gone, changed, doubtful }) {
  const said = say("refreshed", { added: listed(added), gone: listed(gone), changed: listed(changed) });
  return doubtful.length ? `${said} ${say("refreshed_doubtful", { doubtful: listed(doubtful) })}` : said;
}
