/** The language of the page: the one that was chosen in this browser, else that of ComfyUI's page. */

import { LANGUAGES } from "./words.mjs";

const KEPT = "sora-jobs.language";

/** What was chosen in this browser; "" for as ComfyUI. */
export function chosenLanguage() {
  try {
    return window.localStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // no storage for this page
  }
}

/** @param {string} name "" for as ComfyUI */
export function chooseLanguage(name) {
  try {
    if (name) window.localStorage.setItem(KEPT, name);
    else window.localStorage.removeItem(KEPT);
  } catch {
    // it stays as ComfyUI
  }
}

/**
 * The first of them that there is: what was chosen, ComfyUI's `locale` ("zh", "zh-TW"), English.
 *
 * @param {string} chosen
 * @param {string} locale
 */
export const languageOf = (chosen, locale) =>
  [chosen, locale.split("-")[0]].find((name) => Object.hasOwn(LANGUAGES, name)) ?? "en";
