/** Making elements: everything that is text goes in as text. */

/** @import { Attributes, Child } from "./types.d.ts" */

/**
 * An element. `given`: attributes; `on…` listens, `text` is its text, true is an attribute without value.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [given]
 * @param {...Child} children
 */
export const el = (tag, given = {}, ...children) => filled(document.createElement(tag), given, children);

/**
 * The same for a part of a drawing.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [given]
 * @param {...Child} children
 */
export const svg = (tag, given = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);

/**
 * @template {Element} Made
 * @param {Made} made
 * @param {Attributes} given
 * @param {Child[]} children
 */
function filled(made, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value == null || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "text") made.textContent = String(value);
    else if (name === "value") Object.assign(made, { value });
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...flat(children));
  return made;
}

/**
 * What of them is there, in one list.
 *
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
const flat = (children) => children.flatMap((child) => (Array.isArray(child) ? flat(child) : present(child)));

/** @param {Exclude<Child, Child[]>} child */
const present = (child) => (child instanceof Object ? [child] : child && child !== true ? [String(child)] : []);

/**
 * A button with an icon of the host's (PrimeIcons); with `bare` its name is only heard and hovered.
 *
 * @param {string} icon
 * @param {string} name
 * @param {(() => unknown) | null} press
 * @param {Attributes} [more]
 */
export function button(icon, name, press, more = {}) {
  const { bare, ...given } = more;
  const label = bare ? { "aria-label": name, title: name } : {};
  const children = [
    icon && el("i", { class: `pi pi-${icon}`, "aria-hidden": "true" }),
    !bare && el("span", { text: name }),
  ];
  const onclick = press ? () => press() : undefined;
  return el("button", { type: "button", class: "sora-button", ...label, ...given, onclick }, children);
}

/**
 * Set a text only where it is another one, and in the text node that is there: all else makes the page style anew.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent === text) return;
  if (text && element.firstChild) /** @type {Text} */ (element.firstChild).data = text;
  else element.textContent = text;
}

/**
 * The same for an attribute.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/**
 * Replace an element's children, and keep the keyboard where it was: on the control with the same `data-key`.
 *
 * @param {Element | undefined} element
 * @param {...Child} children
 */
export function replaceChildren(element, ...children) {
  if (!element) return;
  const held = element.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  const key = held?.dataset.key;
  element.replaceChildren(...flat(children));
  if (!held) return;
  /** @type {HTMLElement | null | undefined | ""} */
  const again = key && element.querySelector(`[data-key="${key}"]`);
  /** @type {HTMLElement | null} */
  const first = element.querySelector("button, input, select");
  (again || first)?.focus();
}
