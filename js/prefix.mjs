/** File names as the host's own save nodes send them: `%date:yyyy-MM-dd%` and `%Node.widget%` are filled in at each run,
 * and the widget, like the saved workflow, keeps the pattern. */

/** @import { GraphNode, Host, Widget } from "./types.d.ts" */

import { widgetOf } from "./graphs.mjs";

const NAME = "filename_prefix";
/** @type {Widget | undefined} of a SaveImage that is in no graph */
let saver;

/**
 * The text as the host's SaveImage would send it; as it is where that cannot tell.
 *
 * @param {string} text
 * @param {Host["create"]} create
 */
function filledIn(text, create) {
  saver ??= widgetOf(create("SaveImage") ?? {}, NAME);
  if (!saver?.serializeValue) return text;
  saver.value = text;
  return saver.serializeValue();
}

/**
 * Have the node's file name filled in when it is sent.
 *
 * @param {GraphNode} node
 * @param {Pick<Host, "create">} host
 */
export function fillIn(node, host) {
  const widget = widgetOf(node, NAME);
  if (!widget) return;
  widget.serializeValue = () => {
    const { value } = widget;
    return typeof value === "string" && value.includes("%") ? filledIn(value, host.create) : value;
  };
}
