/** CreateSoraJob's widgets for model, length and size, with the values that they offer. */

import { isLinked, setWidget, widgetOf } from "./graphs.mjs";
import { allowed, withOwn } from "./models.mjs";

const LISTS = ["model", "seconds", "size"];

export class Combos {
  /** Widgets are being set by us, and not by the user. */
  busy = false;
  #node;
  #lists = {};

  constructor(node) {
    this.#node = node;
    for (const name of LISTS) this.#list(name, widgetOf(node, name)?.options?.values ?? []);
  }

  value(name) {
    return widgetOf(this.#node, name)?.value;
  }

  /** What will be sent is what `model` shows: nothing is typed into custom_model, and no link gives either of them. */
  get modelCounts() {
    const linked = isLinked(this.#node, "model") || isLinked(this.#node, "custom_model");
    return !linked && !String(this.value("custom_model") ?? "").trim();
  }

  /** Offer the models there are, and the lengths and sizes of the one that is set. No value changes. */
  narrow(models) {
    const may = this.#allowed(models);
    this.#list(
      "model",
      models.filter((row) => row.is_offered !== false).map((row) => row.id),
    );
    for (const name of ["seconds", "size"]) this.#list(name, may[name]);
  }

  /** Lengths and sizes that the model does not make become its defaults: [[widget, what it was, what it is], …]. */
  moveToDefaults(models) {
    const may = this.#allowed(models);
    const moves = ["seconds", "size"]
      .filter((name) => this.#isFree(name) && !may[name].includes(this.value(name)))
      .map((name) => [name, this.value(name), may[name][0]]);
    this.set(moves.map(([name, , to]) => [name, to]));
    return moves;
  }

  /** Set widgets; one whose value comes through a link is left alone. */
  set(pairs) {
    this.busy = true;
    for (const [name, value] of pairs) if (this.#isFree(name)) setWidget(this.#node, name, value);
    this.busy = false;
  }

  #allowed(models) {
    return allowed(models, this.modelCounts ? this.value("model") : undefined);
  }

  #isFree(name) {
    return widgetOf(this.#node, name) && !isLinked(this.#node, name);
  }

  /**
   * One array per combo, which is ours and stays the same: Nodes 2.0 take it over when the node is added, and do not
   * always ask again. The host's own array belongs to all nodes of the kind.
   */
  #list(name, values) {
    const widget = widgetOf(this.#node, name);
    if (!widget?.options || !this.#isFree(name)) return;
    const list = (this.#lists[name] ??= []);
    list.splice(0, list.length, ...withOwn(values, widget.value));
    widget.options.values = list;
  }
}
