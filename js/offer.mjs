/** A node whose model is gone: the user is told, and offered the nearest one that lives. Only his click changes it. */

import { standing } from "./models.mjs";
import { say } from "./words.mjs";

export class Offer {
  #node;
  #combos;
  #page;
  #taken;
  #shown = null; // the button, and by how much the node grew for it
  #checked = ""; // the model, length, size and provider that were looked at last
  #told = "";

  /** `taken()` is called after the user took it; the others are those of `attach`. */
  constructor(node, combos, page, taken) {
    this.#node = node;
    this.#combos = combos;
    this.#page = page;
    this.#taken = taken;
  }

  /** Look at what the node says now. Calling it again changes nothing. */
  async check() {
    const asked = ["model", "seconds", "size", "provider"].map((name) => this.#combos.value(name));
    const [model, , , provider] = asked;
    const { state, date } = standing(this.#page.models(), model, provider);
    const gone = this.#combos.modelCounts && (state === "retired" || state === "missing");
    const now = gone ? `${asked}` : "";
    if (now === this.#checked) return;
    this.withdraw();
    this.#checked = now;
    if (!gone) this.#told = "";
    const choice = gone ? await this.#page.nearest(...asked).catch(() => ({})) : {};
    if (!gone || this.#checked !== now) return;
    const what = state === "retired" ? say("retired", { model, provider, date }) : say("missing", { model });
    this.#tell(model, provider, what, choice);
    if (choice.model) await this.#present(model, choice);
  }

  /** Take the button away; an answer that is still to come counts no more. */
  withdraw() {
    this.#checked = "";
    if (!this.#shown) return;
    const { button, height } = this.#shown;
    this.#shown = null;
    this.#node.removeWidget(button);
    this.#setHeight(this.#node.size[1] - height);
  }

  #tell(model, provider, what, choice) {
    if (this.#told === `${model} ${provider}`) return; // only the length or the size is another one
    this.#told = `${model} ${provider}`;
    this.#page.tell("warn", choice.model ? `${what} ${say("instead", choice)}` : what);
  }

  async #present(model, choice) {
    const now = this.#checked;
    const take = () => {
      this.#combos.set(["model", "seconds", "size"].map((name) => [name, choice[name]]));
      this.#taken();
    };
    if (this.#page.frozen(this.#node)) {
      if ((await this.#page.confirm(say("ask_offer", { ...choice, gone: model }))) && this.#checked === now) take();
      return;
    }
    // Its text is its name, too: the first Nodes 2.0 show no label. Last and not serialised, so that no value moves.
    const button = this.#node.addWidget("button", say("offer", choice), null, take, { serialize: false });
    button.serialize = false;
    const before = this.#node.size[1];
    this.#setHeight(before);
    this.#shown = { button, height: this.#node.size[1] - before };
  }

  /** Make the node so high, or as high as its widgets need. */
  #setHeight(height) {
    this.#node.setSize([this.#node.size[0], Math.max(height, this.#node.computeSize()[1])]);
    this.#node.setDirtyCanvas?.(true, true);
  }
}
