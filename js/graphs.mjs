/** Small things about the page's graphs that the page's versions do differently, or that are easily done wrong. */

/** The open workflow's graphs: the main one, and those inside its subgraphs. */
export function graphsOf(app) {
  const root = app.rootGraph ?? app.graph?.rootGraph ?? app.graph;
  return root ? [root, ...(root.subgraphs?.values() ?? [])] : [];
}

export const nodesOf = (graph) => [...(graph.nodes ?? graph._nodes ?? [])];

export const linkOf = (graph, id) => (id == null ? undefined : (graph.getLink?.(id) ?? graph.links?.[id]));

export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/** Does a link, and not the widget, give this value? */
export const isLinked = (node, name) =>
  !!node.inputs?.some((input) => input.widget?.name === name && input.link != null);

/** Set a widget as a user would, so that both renderers see it. */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget) return;
  widget.value = value;
  widget.callback?.(value, undefined, node);
}

/** Have `after(...)` called after `object[name](...)`. Returns what takes the hook off again. */
export function hook(object, name, after) {
  const before = object[name];
  let on = true;
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
