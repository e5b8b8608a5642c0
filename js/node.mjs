/** CreateSoraJob on the canvas: its combos offer what its model takes, and a model that is gone is told of. */

/** @import { GraphNode, Host } from "./types.d.ts" */

import { Combos } from "./combos.mjs";
import { hook, widgetOf } from "./graphs.mjs";
import { ReplacementPrompt } from "./offer.mjs";
import { movedText } from "./words.mjs";

/**
 * Take care of a new node until it is removed. Returns `check`: look at the node again, since the catalogue is another
 * one.
 *
 * @param {GraphNode} node
 * @param {Host} host
 */
export function attach(node, host) {
  const combos = new Combos(node);
  const replacement = new ReplacementPrompt(node, combos, host, () => {
    host.redrawWidgets(node);
    check();
  });
  let waiting = false;

  function check() {
    if (!host.models().length) return;
    combos.narrow(host.models());
    replacement.check();
    node.setDirtyCanvas?.(true, true);
  }

  /** Many things happen at once while a workflow is loaded; one check after them is enough. */
  function soon() {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      if (waiting) check();
      waiting = false;
    });
  }

  /** The user chose or typed a model. */
  function chosen() {
    if (combos.busy || !host.models().length) return;
    const moves = combos.moveToDefaults(host.models());
    if (moves.length) {
      host.toastOnce(movedText(combos.value("model"), moves));
      host.redrawWidgets(node);
    }
    check();
  }

  function removed() {
    for (const unhook of hooks) unhook();
    waiting = false;
    replacement.withdraw();
  }

  /**
   * @param {string} name
   * @param {() => void} after
   */
  function hookWidget(name, after) {
    const widget = widgetOf(node, name);
    return widget ? [hook(widget, "callback", after)] : [];
  }

  const hooks = [
    hook(node, "onConfigure", check), // at once: before the first Nodes 2.0 copy what they show
    hook(node, "onConnectionsChange", soon),
    hook(node, "onRemoved", removed),
    ...["model", "custom_model"].flatMap((name) => hookWidget(name, chosen)),
    ...["seconds", "size", "provider"].flatMap((name) => hookWidget(name, soon)),
  ];
  soon();
  return check;
}
