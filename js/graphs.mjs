/** Small things about the page's graphs that the page's versions do differently, or that are easily done wrong. */

/** @import { App, Graph, GraphNode } from "./types.d.ts" */

/**
 * The open workflow's graphs: the main one, and those inside its subgraphs. The page has `app.rootGraph` in 1.49.6, and
 * only `app.graph` in 1.27.10 (versions of comfyui-frontend-package).
 *
 * @param {App} app
 * @returns {Graph[]}
 */
export function graphsOf(app) {
  const root = app.rootGraph ?? app.graph?.rootGraph ?? app.graph;
  return root ? [root, ...(root.subgraphs?.values() ?? [])] : [];
}

/** @param {Graph} graph */
export const nodesOf = (graph) => [...(graph.nodes ?? graph._nodes ?? [])];

/**
 * @param {Graph} graph
 * @param {number | null} [id]
 */
export const linkOf = (graph, id) => (id == null ? undefined : (graph.getLink?.(id) ?? graph.links?.[id]));

/**
 * @param {Partial<GraphNode>} node
 * @param {string} name
 */
export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/**
 * Does a link, and not the widget, give this value?
 *
 * @param {GraphNode} node
 * @param {string} name
 */
export const isLinked = (node, name) =>
  !!node.inputs?.some((input) => input.widget?.name === name && input.link != null);

/**
 * The node that an input comes from.
 *
 * @param {GraphNode} node
 * @param {string | undefined} name
 */
export function sourceOf(node, name) {
  const link = linkOf(node.graph, node.inputs?.find((input) => input.name === name)?.link);
  return link && (node.graph.getNodeById(link.origin_id) ?? undefined);
}

/**
 * Set a widget as a user would, so that both renderers see it.
 *
 * @param {GraphNode} node
 * @param {string} name
 * @param {unknown} value
 */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget) return;
  widget.value = value;
  widget.callback?.(value, undefined, node);
}

/**
 * Have `after(...)` called after `object[name](...)`. Returns what takes the hook off again.
 *
 * @template {string} Name
 * @param {{ [name in Name]?: ((...given: never[]) => unknown) | undefined }} object
 * @param {Name} name
 * @param {(...given: never[]) => void} after
 */
export function hook(object, name, after) {
  const before = object[name];
  let on = true;
  /**
   * @this {unknown}
   * @param {...never} given
   */
  const ours = function (...given) {
    const result = before?.apply(this, given);
    if (on) after(...given);
    return result;
  };
  object[name] = ours;
  return () => {
    on = false; // somebody may have hooked himself over ours
    if (object[name] === ours) object[name] = before;
  };
}
