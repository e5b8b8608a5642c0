/** CreateSoraJob's widgets for model, length and size, with the values that they offer. */

/** @import { GraphNode, Model } from "./types.d.ts" */

import { isLinked, setWidget, widgetOf } from "./graphs.mjs";
import { choicesFor, withCurrent } from "./models.mjs";

/** @typedef {"model" | "seconds" | "size"} List */

/** @type {List[]} */
const LISTS = ["model", "seconds", "size"];
/** @type {("seconds" | "size")[]} */
const BY_MODEL = ["seconds", "size"];

/** @param {unknown} values of a widget: some are made by a function */
const listOf = (values) => (Array.isArray(values) ? values : []);

export class Combos {
  /** Widgets are being set by us, and not by the user. */
  busy = false;
  #node;
  /** @type {Partial<Record<List, unknown[]>>} */
  #lists = {};

  /** @param {GraphNode} node */
  constructor(node) {
    this.#node = node;
    for (const name of LISTS) this.#list(name, listOf(widgetOf(node, name)?.options?.values));
  }

  /**
   * What a widget says; "" for one that is not there.
   *
   * @param {string} name
   */
  value(name) {
    return String(widgetOf(this.#node, name)?.value ?? "");
  }

  /** What will be sent is what `model` shows: nothing is typed into custom_model, and no link gives either of them. */
  get modelCounts() {
    const linked = isLinked(this.#node, "model") || isLinked(this.#node, "custom_model");
    return !linked && !this.value("custom_model").trim();
  }

  /**
   * Offer the models there are, and the lengths and sizes of the one that is set. No value changes.
   *
   * @param {Model[]} models
   */
  narrow(models) {
    const choices = this.#choices(models);
    this.#list(
      "model",
      models.filter((row) => row.is_offered !== false).map((row) => row.id),
    );
    for (const name of BY_MODEL) this.#list(name, choices[name]);
  }

  /**
   * Lengths and sizes that the model does not make become its defaults: [widget, what it was, what it is] of each.
   *
   * @param {Model[]} models
   */
  moveToDefaults(models) {
    const choices = this.#choices(models);
    /** @type {[widget: string, from: string, to: string][]} */
    const moves = BY_MODEL.filter((name) => this.#isFree(name) && !choices[name].includes(this.value(name))).map(
      (name) => [name, this.value(name), choices[name][0]],
    );
    this.set(moves.map(([name, , to]) => [name, to]));
    return moves;
  }

  /**
   * Set widgets; one whose value comes through a link is left alone.
   *
   * @param {[widget: string, value: unknown][]} pairs
   */
  set(pairs) {
    this.busy = true;
    for (const [name, value] of pairs) if (this.#isFree(name)) setWidget(this.#node, name, value);
    this.busy = false;
  }

  /** @param {Model[]} models */
  #choices(models) {
    return choicesFor(models, this.modelCounts ? this.value("model") : undefined);
  }

  /** @param {string} name */
  #isFree(name) {
    return widgetOf(this.#node, name) && !isLinked(this.#node, name);
  }

  /**
   * One array per combo, which is ours and stays the same: Nodes 2.0 take it over when the node is added, and do not
   * always ask again. The host's own array belongs to all nodes of the kind.
   *
   * @param {List} name
   * @param {unknown[]} values
   */
  #list(name, values) {
    const widget = widgetOf(this.#node, name);
    if (!widget?.options || !this.#isFree(name)) return;
    const list = (this.#lists[name] ??= []);
    list.splice(0, list.length, ...withCurrent(values, widget.value));
    widget.options.values = list;
  }
}
