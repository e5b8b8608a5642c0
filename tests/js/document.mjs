/** As much of a browser's document as the page's modules need to build their elements: no layout, no events of its own,
 * and of selectors only a tag, a class or an attribute. */

class Text {
  constructor(data) {
    this.data = data;
  }
  get textContent() {
    return this.data;
  }
}

class Element {
  attributes = new Map();
  childNodes = [];
  listeners = new Map();
  parentNode = null;
  style = {};

  constructor(tag) {
    this.tag = tag;
  }
  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }
  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }
  removeAttribute(name) {
    this.attributes.delete(name);
  }
  addEventListener(name, listener) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }
  dispatchEvent(event) {
    for (const listener of this.listeners.get(event.type) ?? []) listener(event);
    if (event.bubbles) this.parentNode?.dispatchEvent(event);
  }
  click() {
    this.dispatchEvent({ type: "click", target: this });
  }
  append(...children) {
    for (const child of children) {
      const made = typeof child === "string" ? new Text(child) : child;
      made.parentNode = this;
      this.childNodes.push(made);
    }
  }
  replaceChildren(...children) {
    this.childNodes = [];
    this.append(...children);
  }
  contains(other) {
    return this === other || this.childNodes.some((child) => child instanceof Element && child.contains(other));
  }
  remove() {
    this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1);
    this.parentNode = null;
  }
  get id() {
    return this.getAttribute("id") ?? "";
  }
  get firstChild() {
    return this.childNodes[0] ?? null;
  }
  get isConnected() {
    return true;
  }
  get classList() {
    return { toggle: () => {} };
  }
  get textContent() {
    return this.childNodes.map((child) => child.textContent).join("");
  }
  set textContent(text) {
    this.childNodes = [];
    if (text) this.append(text);
  }
  *all() {
    for (const child of this.childNodes) if (child instanceof Element) yield* [child, ...child.all()];
  }
  matches(selectors) {
    return selectors.split(/, ?/).some((selector) => {
      if (selector.startsWith(".")) return (this.getAttribute("class") ?? "").split(" ").includes(selector.slice(1));
      const [, name, value] = /^\[([\w-]+)="?([\w-]+)"?\]$/.exec(selector) ?? [];
      return name ? this.getAttribute(name) === value : this.tag === selector;
    });
  }
  querySelector(selectors) {
    return [...this.all()].find((one) => one.matches(selectors)) ?? null;
  }
  closest(selectors) {
    return this.matches(selectors) ? this : (this.parentNode?.closest?.(selectors) ?? null);
  }
}

/** Make it the global one, and return it. */
export function makeDocument() {
  const document = new Element("document");
  document.createElement = (tag) => new Element(tag);
  document.createElementNS = (_, tag) => new Element(tag);
  for (const tag of ["head", "body"]) {
    document[tag] = new Element(tag);
    document.append(document[tag]);
  }
  Object.assign(document, { hidden: false, activeElement: null });
  globalThis.document = document;
  return document;
}
