/** Making elements: everything that is text goes in as text. */

/** An element. `given`: attributes; `on…` listens, `text` is what stands in it, true is an attribute without value. */
export const el = (tag, given = {}, ...children) => filled(document.createElement(tag), given, children);

/** The same for a part of a drawing. */
export const svg = (tag, given = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);

function filled(made, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "text") made.textContent = value;
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter(Boolean));
  return made;
}

/** A button with an icon of the host's (PrimeIcons); without text its name is only heard and hovered. */
export function button(icon, name, press, more = {}) {
  const { bare, ...given } = more;
  const label = bare ? { "aria-label": name, title: name } : {};
  const children = [
    icon && el("i", { class: `pi pi-${icon}`, "aria-hidden": "true" }),
    !bare && el("span", { text: name }),
  ];
  return el("button", { type: "button", class: "sora-button", ...label, ...given, onclick: press }, children);
}

/** Set a text only where it is another one, and in the text that stands there: all else makes the page style anew. */
export function write(element, text) {
  if (element.textContent === text) return;
  if (text && element.firstChild) element.firstChild.data = text;
  else element.textContent = text;
}

/** The same for an attribute. */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Replace what stands in an element, and keep the keyboard where it was: on the control with the same `data-key`. */
export function refill(element, ...children) {
  const inside = element.contains(document.activeElement);
  const key = inside && document.activeElement.dataset.key;
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (!inside) return;
  const again = key && element.querySelector(`[data-key="${key}"]`);
  (again || element.querySelector("button, input, select"))?.focus();
}
