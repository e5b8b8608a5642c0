/** A node whose model is gone: the user is told, and offered the nearest one that lives. Only their click changes it. */

/** @import { Choice, GraphNode, Host, Widget } from "./types.d.ts" */
/** @import { Combos } from "./combos.mjs" */

import { statusOf } from "./models.mjs";
import { t } from "./words.mjs";

export class ReplacementPrompt {
  #node;
  #combos;
  #host;
  #taken;
  /** @type {{ button: Widget, height: number } | null} the button, and by how much the node grew for it */
  #shown = null;
  #checked = ""; // the model, length, size and provider that were looked at last
  #told = "";

  /**
   * @param {GraphNode} node
   * @param {Combos} combos
   * @param {Host} host
   * @param {() => void} taken is called after the user took it
   */
  constructor(node, combos, host, taken) {
    this.#node = node;
    this.#combos = combos;
    this.#host = host;
    this.#taken = taken;
  }

  /** Look at what the node says now. Calling it again changes nothing. */
  async check() {
    const [model, seconds, size, provider] = ["model", "seconds", "size", "provider"].map((name) =>
      this.#combos.value(name),
    );
    const { state, date } = statusOf(this.#host.models(), model, provider);
    const gone = this.#combos.modelCounts && (state === "retired" || state === "missing");
    const now = gone ? [model, seconds, size, provider].join() : "";
    if (now === this.#checked) return;
    this.withdraw();
    this.#checked = now;
    if (!gone) this.#told = "";
    if (!gone) return;
    /** @type {Partial<Choice>} */
    const choice = await this.#host.nearest(model, seconds, size, provider).catch(() => ({}));
    if (this.#checked !== now) return;
    const what = state === "retired" ? t("retired", { model, provider, date }) : t("missing", { model });
    this.#tell(model, provider, what, choice);
    if (choice.model) await this.#present(model, /** @type {Choice} */ (choice));
  }

  /** Take the button away; a response that is still to come counts no more. */
  withdraw() {
    this.#checked = "";
    if (!this.#shown) return;
    const { button, height } = this.#shown;
    this.#shown = null;
    this.#node.removeWidget?.(button);
    this.#setHeight(this.#node.size[1] - height);
  }

  /**
   * @param {string} model
   * @param {string} provider
   * @param {string} what
   * @param {Partial<Choice>} choice
   */
  #tell(model, provider, what, choice) {
    if (this.#told === `${model} ${provider}`) return; // only the length or the size is another one
    this.#told = `${model} ${provider}`;
    this.#host.toastOnce(choice.model ? `${what} ${t("instead", choice)}` : what, "warn");
  }

  /**
   * @param {string} model
   * @param {Choice} choice
   */
  async #present(model, choice) {
    const now = this.#checked;
    const take = () => {
      const { model: nearest, seconds, size } = choice;
      this.#combos.set(Object.entries({ model: nearest, seconds, size }));
      this.#taken();
    };
    if (this.#host.copiesWidgets(this.#node)) {
      if ((await this.#host.confirm(t("ask_offer", { ...choice, gone: model }))) && this.#checked === now) take();
      return;
    }
    // Its text is its name, too: the first Nodes 2.0 show no label. Last and not serialised, so that no value moves.
    const button = this.#node.addWidget("button", t("offer", choice), null, take, { serialize: false });
    button.serialize = false;
    const before = this.#node.size[1];
    this.#setHeight(before);
    this.#shown = { button, height: this.#node.size[1] - before };
  }

  /**
   * Make the node so high, or as high as its widgets need.
   *
   * @param {number} height
   */
  #setHeight(height) {
    this.#node.setSize([this.#node.size[0], Math.max(height, this.#node.computeSize()[1])]);
    this.#node.setDirtyCanvas?.(true, true);
  }
}
