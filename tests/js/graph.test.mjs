/** Badges read the graph, and a job's nodes are added to it: on nodes that are only what the page's have in common. */

import assert from "node:assert/strict";
import test from "node:test";
import { addAgain, addFrames, addRemix, widgetsOf } from "../../js/add.mjs";
import { memoryText, priceText, remixText } from "../../js/badges.mjs";

const SLOTS = {
  CreateSoraJob: [
    ["reference", "last_reference"],
    {
      prompt: "",
      model: "sora-2",
      seconds: "8",
      size: "1280x720",
      take: 1,
      provider: "cometapi",
      custom_model: "",
      extra_fields: "",
      fit: "crop",
      project: "",
    },
  ],
  SoraOpenJob: [[], { video_id: "", provider: "cometapi" }],
  WaitForVideo: [["job"], {}],
  Remix: [["job"], { prompt: "", take: 1, project: "" }],
  LoadVideoFrames: [
    ["video"],
    {
      force_rate: 0,
      frame_load_cap: 0,
      skip_first_frames: 0,
      select_every_nth: 1,
      custom_width: 0,
      custom_height: 0,
      memory: "ram",
    },
  ],
  LoadImage: [[], { image: "" }],
};

function makeGraph() {
  const graph = {
    nodes: [],
    links: {},
    add: (node) => (node.graph = graph) && graph.nodes.push(node),
    getNodeById: (id) => graph.nodes.find((node) => node.id === id),
  };
  const create = (type) => {
    const [inputs, widgets] = SLOTS[type];
    const node = {
      id: graph.nodes.length + 1,
      type,
      comfyClass: type,
      pos: [0, 0],
      size: [300, 200],
      badges: [],
      inputs: inputs.map((name) => ({ name, link: null })),
      widgets: Object.entries(widgets).map(([name, value]) => ({ name, value, options: { values: [] } })),
      connect(slot, to, input) {
        const id = Object.keys(graph.links).length + 1;
        graph.links[id] = { id, origin_id: node.id, origin_slot: slot };
        to.inputs[input].link = id;
      },
    };
    return node;
  };
  const says = (node) => Object.fromEntries(node.widgets.map(({ name, value }) => [name, value]));
  return { canvas: { graph }, graph, create, says, types: () => graph.nodes.map((node) => node.type) };
}

const ROW = {
  id: "abcdefghjk",
  kind: "create",
  provider: "cometapi",
  model: "sora-2",
  seconds: "8",
  size: "1280x720",
  prompt: "a boat",
  take: 2,
  parent: "",
  project: "Winter film",
  extra_fields: {},
};
const MODELS = [
  { id: "sora-2", usd: { "*": 0.1 }, status: {} },
  { id: "old", usd: {}, status: { cometapi: { state: "retired", date: "" } } },
];

test("frames come from the job's own id", () => {
  const { canvas, create, graph, says, types } = makeGraph();
  addFrames(canvas, create, ROW);
  assert.deepEqual(types(), ["SoraOpenJob", "WaitForVideo", "LoadVideoFrames"]);
  assert.deepEqual(says(graph.nodes[0]), { video_id: "abcdefghjk", provider: "cometapi" });
  assert.deepEqual(
    Object.values(graph.links).map((link) => [link.origin_id, link.origin_slot]),
    [
      [1, 0],
      [2, 0],
    ],
  );
});

test("a remix takes the finished job, and its prompt is empty", () => {
  const { canvas, create, graph, types } = makeGraph();
  const remix = addRemix(canvas, create, ROW);
  assert.deepEqual(types(), ["SoraOpenJob", "WaitForVideo", "Remix", "WaitForVideo"]);
  assert.equal(remix, graph.nodes[2]);
  assert.deepEqual(graph.links[remix.inputs[0].link], { id: 2, origin_id: 2, origin_slot: 1 });
});

test("new nodes stand below all others", () => {
  const { canvas, create, graph } = makeGraph();
  graph.add({ ...create("WaitForVideo"), pos: [50, 300], size: [300, 200] });
  addFrames(canvas, create, ROW);
  assert.ok(graph.nodes.slice(1).every((node) => node.pos[1] > 500));
  assert.equal(graph.nodes[1].pos[0], 50);
});

test("the same again is the same, and another take; its images come along", () => {
  const { canvas, create, graph, says, types } = makeGraph();
  addAgain(canvas, create, ROW, MODELS, {
    images: ["sora/a.png", "sora/b.png"],
    fit: "pad",
    take: 3,
  });
  assert.deepEqual(types(), ["CreateSoraJob", "WaitForVideo", "LoadImage", "LoadImage"]);
  const [job, , first, last] = graph.nodes;
  assert.deepEqual(says(job), {
    prompt: "a boat",
    model: "sora-2",
    seconds: "8",
    size: "1280x720",
    take: 3,
    provider: "cometapi",
    custom_model: "",
    extra_fields: "",
    fit: "pad",
    project: "Winter film",
  });
  assert.equal(says(first).image, "sora/a.png");
  assert.equal(graph.links[job.inputs[1].link].origin_id, last.id);
});

test("a model that is not listed is typed, and extra fields are kept", () => {
  const widgets = widgetsOf({ ...ROW, model: "mine", extra_fields: { resolution: "720p" } }, MODELS, { take: 3 });
  assert.equal(widgets.custom_model, "mine");
  assert.equal(widgets.model, undefined);
  assert.equal(widgets.extra_fields, '{"resolution":"720p"}');
});

test("how its images were fitted stays as the node has it where nobody knows", () => {
  assert.ok(!("fit" in widgetsOf(ROW, MODELS, { fit: "", take: 3 })));
});

test("a remix again is a remix of the same parent", () => {
  const { canvas, create, graph, says, types } = makeGraph();
  addAgain(canvas, create, { ...ROW, kind: "remix", parent: "video_7", prompt: "at night" }, MODELS, {
    images: [],
    take: 3,
  });
  assert.deepEqual(types(), ["SoraOpenJob", "WaitForVideo", "Remix", "WaitForVideo"]);
  assert.equal(says(graph.nodes[0]).video_id, "video_7");
  assert.deepEqual(says(graph.nodes[2]), { prompt: "at night", take: 3, project: "Winter film" });
});

test("added twice before either ran, they are two takes", () => {
  const { canvas, create, graph, says } = makeGraph();
  for (const prompt of ["a boat", "a boat", "a house", "a boat"]) {
    addAgain(canvas, create, { ...ROW, prompt }, MODELS, { images: [], take: 3 });
  }
  const takes = graph.nodes.filter(({ type }) => type === "CreateSoraJob").map((node) => says(node).take);
  assert.deepEqual(takes, [3, 4, 3, 5]);
});

test("one undo takes it back, also when something throws", () => {
  const { canvas, create } = makeGraph();
  const told = [];
  Object.assign(canvas, { emitBeforeChange: () => told.push("before"), emitAfterChange: () => told.push("after") });
  addFrames(canvas, create, ROW);
  assert.throws(() => addFrames(canvas, () => assert.fail(), ROW));
  assert.deepEqual(told, ["before", "after", "before", "after"]);
});

/** What badges ask, and what they are told. */
function teller(usd) {
  const asked = [];
  return { asked, of: (node, wanted) => asked.push(wanted) && usd };
}

const PLAIN = {
  model: "sora-2",
  custom_model: "",
  seconds: "8",
  size: "1280x720",
  provider: "cometapi",
  extra_fields: "",
};
const link = (node, name) => node.inputs.push({ name, widget: { name }, link: 99 });

test("the price badge asks what the widgets say, and reads what it is told", () => {
  const { create } = makeGraph();
  const node = create("CreateSoraJob");
  for (const [quote, text] of [
    [{ usd: 0.8 }, "≈ $0.80"],
    [{ usd: 0 }, "free"],
    [{ usd: null }, "price unknown"],
    [{ usd: 0.8, price_age_days: null, comes_out: "" }, "≈ $0.80"],
    [{ usd: 0.8, price_age_days: 121, comes_out: "" }, "≈ $0.80 · a price 4 mths old"],
    [{ usd: null, price_age_days: null, comes_out: "1280x720" }, "price unknown · comes out as 1280×720"],
    [{ usd: null, unknown: "model", facts: { model: "new-9" } }, "price unknown (not listed for new-9)"],
    [
      { usd: null, unknown: "length", facts: {}, comes_out: "640x360" },
      "price unknown (length unknown) · comes out as 640×360",
    ],
    [{ usd: null, unknown: "a later reason", facts: {} }, "price unknown"],
    [{ usd: 0.8, unknown: "", facts: {} }, "≈ $0.80"],
    [{}, ""],
    [undefined, "…"],
  ]) {
    const told = teller(quote);
    assert.equal(priceText(node, MODELS, told), text);
    assert.deepEqual(told.asked, [{ ...PLAIN, references: 0 }]);
  }
});

test("a retired model is named, and no price is asked for", () => {
  const { create } = makeGraph();
  const node = create("CreateSoraJob");
  const set = (name, value) => (node.widgets.find((one) => one.name === name).value = value);
  const told = teller({ usd: 1 });
  set("model", "old");
  assert.equal(priceText(node, MODELS, told), "retired");
  assert.deepEqual(told.asked, []);
  set("custom_model", "new");
  assert.equal(priceText(node, MODELS, told), "≈ $1.00");
  set("custom_model", "");
  link(node, "custom_model"); // which may name another one
  assert.equal(priceText(node, MODELS, told), "≈ $1.00");
  assert.equal(told.asked.at(-1).custom_model, null);
});

test("what comes through a link is not the widget's, and images that are sent are counted", () => {
  const { create, graph } = makeGraph();
  const [job, first, last] = ["CreateSoraJob", "LoadImage", "LoadImage"].map((type) => {
    const node = create(type);
    graph.add(node);
    return Object.assign(node, { mode: 0 });
  });
  for (const name of ["seconds", "extra_fields"]) link(job, name);
  first.connect(0, job, 0);
  last.connect(0, job, 1);
  last.mode = 2; // muted
  const told = teller({ usd: null });
  priceText(job, MODELS, told);
  assert.deepEqual(told.asked, [{ ...PLAIN, seconds: null, extra_fields: null, references: 1 }]);
});

test("a remix asks by the node that buys its parent, also through other remixes", () => {
  const { create, graph } = makeGraph();
  const [job, wait, remix, again, second] = ["CreateSoraJob", "WaitForVideo", "Remix", "WaitForVideo", "Remix"].map(
    (type) => {
      const node = create(type);
      graph.add(node);
      return node;
    },
  );
  const told = teller({ usd: 0.8 });
  assert.equal(remixText(remix, told), ""); // nothing is connected
  job.connect(0, wait, 0);
  wait.connect(1, remix, 0);
  remix.connect(0, again, 0);
  again.connect(1, second, 0);
  for (const node of [remix, second]) assert.equal(remixText(node, told), "≈ $0.80");
  assert.deepEqual(told.asked, Array(2).fill({ ...PLAIN, references: 0, remix: true }));
});

test("a remix of a job that is opened asks by its id and provider; what the page cannot follow is unknown", () => {
  const { canvas, create, graph } = makeGraph();
  const remix = addRemix(canvas, create, ROW);
  const told = teller({ usd: 0.8 });
  assert.equal(remixText(remix, told), "≈ $0.80");
  assert.deepEqual(told.asked, [{ job: ROW.id, provider: "cometapi" }]);
  link(graph.nodes[0], "video_id");
  assert.equal(remixText(remix, told), "price unknown");
  remix.inputs[0].link = 77; // from the input of a subgraph, which is in no graph's list
  assert.equal(remixText(remix, told), "price unknown");
  assert.equal(told.asked.length, 1);
});

test("the memory badge finds the job behind the video, also behind a remix", () => {
  const { create, graph } = makeGraph();
  const [job, wait, remix, again, frames] = [
    "CreateSoraJob",
    "WaitForVideo",
    "Remix",
    "WaitForVideo",
    "LoadVideoFrames",
  ].map((type) => {
    const node = create(type);
    graph.add(node);
    return node;
  });
  assert.equal(
    memoryText(frames, () => undefined),
    "",
  );
  job.connect(0, wait, 0);
  wait.connect(1, remix, 0);
  remix.connect(0, again, 0);
  again.connect(0, frames, 0);
  assert.equal(
    memoryText(frames, () => undefined),
    "≈ 2.0 GiB of memory",
  );
  frames.widgets.find(({ name }) => name === "memory").value = "disk";
  assert.equal(
    memoryText(frames, () => undefined),
    "≈ 2.0 GiB on disk",
  );
  job.inputs.push({ name: "seconds", widget: { name: "seconds" }, link: 99 });
  assert.equal(
    memoryText(frames, () => undefined),
    "",
  );
});

test("the memory badge of a job that was opened goes by its row", () => {
  const { canvas, create, graph } = makeGraph();
  addFrames(canvas, create, ROW);
  assert.equal(
    memoryText(graph.nodes[2], (id) => (id === ROW.id ? ROW : undefined)),
    "≈ 2.0 GiB of memory",
  );
});
