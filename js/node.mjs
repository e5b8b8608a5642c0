/** CreateSoraJob on the canvas: its combos offer what its model takes, and a model that is gone is told of. */

import { Combos } from "./combos.mjs";
import { hook, widgetOf } from "./graphs.mjs";
import { Offer } from "./offer.mjs";
import { sayMoved } from "./words.mjs";

/**
 * Take care of a new node until it is removed.
 *
 * `page` has `models()` (the catalogue's rows; none while they are unknown), `nearest(model, seconds, size, provider)`,
 * `tell(severity, text)` and, for renderers that look at a node's widgets only once, `frozen(node)`, `redraw(node)` and
 * `confirm(question)`. Returns `look`: look at the node again, since the catalogue is another one.
 */
export function attach(node, page) {
  const combos = new Combos(node);
  const offer = new Offer(node, combos, page, () => {
    page.redraw(node);
    look();
  });
  let waiting = false;

  function look() {
    if (!page.models().length) return;
    combos.narrow(page.models());
    offer.check();
    node.setDirtyCanvas?.(true, true);
  }

  /** Many things happen at once while a workflow is loaded; one look after them is enough. */
  function soon() {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      if (waiting) look();
      waiting = false;
    });
  }

  /** The user chose or typed a model. */
  function chosen() {
    if (combos.busy || !page.models().length) return;
    const moves = combos.moveToDefaults(page.models());
    if (moves.length) {
      page.tell("info", sayMoved(combos.value("model"), moves));
      page.redraw(node);
    }
    look();
  }

  function removed() {
    for (const unhook of hooks) unhook();
    waiting = false;
    offer.withdraw();
  }

  const hookWidget = (name, after) => (widgetOf(node, name) ? [hook(widgetOf(node, name), "callback", after)] : []);
  const hooks = [
    hook(node, "onConfigure", look), // at once: before the first Nodes 2.0 copy what they show
    hook(node, "onConnectionsChange", soon),
    hook(node, "onRemoved", removed),
    ...["model", "custom_model"].flatMap((name) => hookWidget(name, chosen)),
    ...["seconds", "size", "provider"].flatMap((name) => hookWidget(name, soon)),
  ];
  soon();
  return look;
}
