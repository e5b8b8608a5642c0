/** A file name is filled in by the host's own SaveImage, and left as it is where there is none. */

import assert from "node:assert/strict";
import test from "node:test";
import { fillIn } from "../../js/prefix.mjs";

const named = (value) => ({ widgets: [{ name: "timeout_minutes" }, { name: "filename_prefix", value }] });
const sent = (node) => node.widgets[1].serializeValue();

test("without a SaveImage the text is sent as it is", () => {
  const node = named("%date:yyyy%/boat");
  for (const nobody of [null, {}, { widgets: [] }]) {
    fillIn(node, { create: () => nobody });
    assert.equal(sent(node), "%date:yyyy%/boat");
  }
});

test("one SaveImage is enough, and only for what has a pattern", () => {
  let made = 0;
  const create = (type) => {
    assert.equal(type, "SaveImage");
    made += 1;
    const widget = { name: "filename_prefix", value: "ComfyUI" };
    widget.serializeValue = () => widget.value.replace("%date:yyyy%", "2026");
    return { widgets: [widget] };
  };
  const [plain, dated] = [named("shots/boat"), named("%date:yyyy%/boat")];
  for (const node of [plain, dated]) fillIn(node, { create });
  assert.deepEqual([sent(plain), made], ["shots/boat", 0]);
  assert.deepEqual([sent(dated), sent(dated), made], ["2026/boat", "2026/boat", 1]);
  assert.equal(dated.widgets[1].value, "%date:yyyy%/boat");
});

test("what is no text is sent as it is, and a node without the widget stays alone", () => {
  const node = named(undefined);
  fillIn(node, { create: assert.fail });
  assert.equal(sent(node), undefined);
  fillIn({ widgets: [] }, {});
  fillIn({}, {});
});
