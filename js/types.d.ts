/**
 * What the page's modules share: what the server sends, the host object, and the parts of ComfyUI's page that are used.
 * Only types: the browser never loads this file. `make js` checks the modules by it.
 */

// -- what the server sends --------------------------------------------------------------------------------------------

/** Times are seconds since 1970 by the server's clock. Every response that carries one carries `now`, too. */
export interface Dated {
  now?: number;
}

/** How a job is doing (`HistoryView.brief`): all that an event says of it. */
export interface Brief {
  id: string;
  /** A state of the ledger, "lapsed" or "stale". */
  state: string;
  /** "unwatched", "forgotten" or "". */
  aside: string;
  /** Is its video still to come? */
  is_running: boolean;
  /** Is it one of those that `PageResponse.running` counts? */
  is_counted: boolean;
  /** Is there something that a person should be told of? */
  in_trouble: boolean;
  /** The list that has it beside the one of all: a value of `Filter.state`. */
  group: string;
  /** Per cent; null while it is unknown. */
  progress: number | null;
  created_at: number;
  submitted_at: number | null;
  completed_at: number | null;
  /** Seconds that jobs like it took. */
  expected_s: number | null;
  /** Of a queued job in the line: 1 is the next of its provider, 0 one whose process has ended. */
  place: number | null;
}

/** A job in full (`HistoryView.row`). */
export interface Row extends Brief {
  /** "create", "remix" or "opened". */
  kind: string;
  provider: string;
  model: string;
  seconds: string;
  size: string;
  prompt: string;
  take: number;
  video_id: string;
  parent: string;
  estimated_usd: number | null;
  charged_usd: number | null;
  project: string;
  stored_at: number | null;
  bytes: number | null;
  /** In English; `errorOf` of row.mjs says it in the page's language. */
  error: string;
  failure: Failure | null;
  /** What helps: a key of `Cures`. */
  cure: string;
  /** What may be done with it now. */
  actions: Action[];
  warning: string;
  references: number;
  extra_fields: Record<string, unknown>;
  file: { filename: string; subfolder: string; type: string } | null;
}

/** As in nodes/sora_jobs/views/actions.py. */
export type Action =
  | "reconcile"
  | "frames"
  | "open"
  | "remix"
  | "nearest"
  | "ask"
  | "again"
  | "unwatch"
  | "watch"
  | "cancel"
  | "restore"
  | "archive";

/** The event `sora.job`: `was` is the state before, "" for a job that is new to the server. */
export interface JobEvent {
  job: Brief;
  was: string;
  /** Was its video still to come then? */
  was_running: boolean;
}

/** The place of each queued job, by its id. */
export type Places = Record<string, number>;

export interface JobResponse extends Dated {
  job: Row;
}

/** GET /sora/history/{id} */
export interface TreeResponse extends JobResponse {
  parent: Row | null;
  children: Row[];
}

/** GET /sora/history: `running` and `places` are those of the whole ledger. */
export interface PageResponse extends Dated {
  jobs: Row[];
  more: boolean;
  running: number;
  places: Places;
}

/** GET /sora/news: `mark` says how far this response goes. */
export interface NewsResponse extends Dated {
  mark: string;
  jobs: Row[];
}

/** POST /sora/history/{id}/again */
export interface AgainResponse {
  /** Names in ComfyUI's input folder. */
  images: string[];
  /** How they were fitted; "" where that is unknown. */
  fit: string;
  take: number;
}

export interface Status {
  state: string;
  date: string;
}

/** A row of the catalogue, as far as the page uses it. Lists are empty where it is unknown what the model takes. */
export interface Model {
  id: string;
  seconds: string[];
  sizes: string[];
  status: Record<string, Status>;
  remix: boolean;
  is_offered?: boolean;
}

export interface ModelsResponse extends Dated {
  models: Model[];
}

/** A model with a length and a size that it makes; {} where there is none. */
export interface Choice {
  model: string;
  seconds: string;
  size: string;
}

export interface RefreshResponse {
  added: string[];
  gone: string[];
  changed: string[];
  doubtful: string[];
}

/** What POST /sora/quote takes: null for a value that comes through a link. */
export type QuoteRequest = Record<string, string | number | boolean | null>;

/** What a purchase would cost: `usd` is null where that is `unknown` for that reason, and missing where it cannot be
 * bought. */
export interface Quote {
  usd?: number | null;
  price_age_days?: number | null;
  comes_out?: string;
  /** "", or a reason of nodes/sora_jobs/jobs/quote.py. */
  unknown?: string;
  /** What its words name. */
  facts?: Record<string, string>;
}

/** Why a setting may not be changed: {} where it may. */
export interface Reason {
  code?: string;
  by?: string;
}

export interface ProviderSettings {
  name: string;
  key: string;
  ends_in: string;
  url: string;
  error: string;
  balance: boolean;
}

/** GET /sora/settings */
export interface SettingsResponse {
  /** Of nodes' errors, log and command line, not of this page. */
  language: string;
  background_downloads: boolean;
  budget: Budget;
  may: Record<"language" | "background_downloads" | "budget" | "keys", boolean>;
  why?: Partial<Record<"language" | "background_downloads" | "budget" | "keys", Reason>>;
  default_provider?: string;
  providers: ProviderSettings[];
}

export interface Budget {
  usd_per_day: number;
  usd_per_job: number;
  spent_usd?: number | null;
}

/** POST /sora/balance: null for what is unknown or unlimited. */
export interface Balance extends Dated {
  of: "key" | "account";
  asked_at: number;
  left_usd: number | null;
  used_usd: number | null;
  unlimited: boolean;
  next_usd: number;
  next_by: "last_job" | "cap";
  short: boolean;
}

/** Sums over the jobs of one name. */
export interface Cost {
  name: string;
  jobs: number;
  seconds: number;
  usd: number;
  charged_usd: number;
  charged_jobs: number;
  unpriced: number;
  uncertain_jobs: number;
  uncertain_usd: number;
  failed_jobs: number;
  failed_usd: number;
}

/** GET /sora/costs */
export interface CostsResponse {
  by: "day" | "week" | "model" | "provider" | "project";
  rows: Cost[];
  total: Cost;
  more: number;
}

export interface Finding {
  name: string;
  level: string;
  text: string;
}

/** What any response may carry when it is an error. */
export interface ErrorResponse extends Partial<Failure> {
  error?: string;
  host?: string;
}

/** Of what an error is worded (`SoraError.for_page`): `kind` is a table of messages.toml. */
export interface Failure {
  kind: string;
  code: string;
  values: Partial<Record<"cause" | "charge" | "message" | "hint" | "job" | "request_id", string>>;
}

// -- what the modules share -------------------------------------------------------------------------------------------

/** PrimeVue's names. */
export type Severity = "info" | "success" | "warn" | "error";

/** ComfyUI's page and the server, as the modules see them: the object that host.mjs makes. */
export interface Host {
  /** The response of a GET; an Error with words for a person. Its type is the caller's word. */
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  url(path: string): string;
  /** The address of a job's stored video. */
  file(file: NonNullable<Row["file"]>): string;
  /** The server's time, in seconds since 1970. */
  now(): number;
  /** The catalogue; empty while it is unknown. */
  models(): Model[];
  nearest(model: string, seconds: string, size: string, provider: string): Promise<Partial<Choice>>;
  /** Take the default provider over. */
  useSettings(settings: Pick<SettingsResponse, "default_provider">): void;
  /** Show the page in the language of now: another one may have been chosen. */
  useLanguage(): Promise<void>;
  /** The language of ComfyUI's page, such as "en" or "zh-TW"; "" where it is unknown. */
  locale(): string;
  /** Have `changed(locale)` called when it is another one. */
  onLocale(changed: (locale: string) => unknown): void;

  toast(text: string, severity?: Severity): void;
  toastOnce(text: string, severity?: Severity): void;
  /** Run it; an error becomes a toast. */
  attempt<T>(run: () => T | Promise<T>): Promise<T | undefined>;
  confirm(question: string): Promise<boolean>;

  canvas(): Canvas;
  graphs(): Graph[];
  create(type: string): GraphNode;
  focusPrompt(node: GraphNode): void;
  copiesWidgets(node: GraphNode): boolean;
  redrawWidgets(node: GraphNode): void;
  addBadge(node: GraphNode, text: () => string): void;
  refreshBadges(): void;

  tab(): SidebarTab | undefined;
  nameTab(title: string, tooltip: string): void;
  countTab(running: number): void;
  openTab(): void;
  closeDialog(within?: Element): void;
}

/** Where the tab's views lead, and whom they tell of a row that changed: the Panel. */
export interface Navigation {
  open(id: string): unknown;
  back(): void;
  changed(row: Row): void;
}

/** What helps with a job that went wrong: a button of its toast. */
export interface Cure {
  icon: string;
  key: string;
  run(row: Alerted): unknown;
}

/** What a toast tells: a job, or a node whose job was never sent. */
export type Alerted = Pick<Row, "id" | "state" | "prompt" | "error" | "cure"> & Partial<Row>;

/** A filter of the list. */
export interface Filter {
  state: string;
  search: string;
}

type Handlers = { [Name in keyof HTMLElementEventMap as `on${Name}`]?: (event: HTMLElementEventMap[Name]) => unknown };

/** What `el` takes for an element. */
export interface Attributes extends Handlers {
  [name: string]: string | number | boolean | null | undefined | ((event: never) => unknown);
}

export type Child = Node | string | number | boolean | null | undefined | Child[];

// -- ComfyUI's page ---------------------------------------------------------------------------------------------------

export interface Widget {
  name: string;
  type?: string;
  value?: unknown;
  options?: { values?: unknown; [name: string]: unknown };
  callback?: (value: unknown, canvas?: unknown, node?: GraphNode) => void;
  serialize?: boolean;
  serializeValue?: () => unknown;
  element?: HTMLElement;
  inputEl?: HTMLElement;
}

export interface Input {
  name: string;
  link?: number | null;
  widget?: { name: string };
}

export interface Output {
  links?: number[] | null;
}

export interface Link {
  origin_id: number | string;
  origin_slot: number;
  target_id: number | string;
  target_slot: number;
  parentId?: number;
}

/** A node of either renderer; what a kind or a version of the page may lack is optional. */
export interface GraphNode {
  id: number | string;
  type: string;
  comfyClass?: string;
  graph: Graph;
  mode: number;
  pos: [number, number];
  size: [number, number];
  flags?: { collapsed?: boolean };
  inputs: Input[];
  outputs: Output[];
  widgets?: Widget[];
  badges?: (() => Badge)[];
  imgs?: HTMLImageElement[];
  imageIndex?: number | null;
  last_serialization?: SavedNode;
  connect(output: number, to: GraphNode, input: number, reroute?: number): unknown;
  addWidget(type: string, name: string, value: null, callback: () => void, options: object): Widget;
  addDOMWidget(name: string, type: string, element: HTMLElement, options: object): Widget;
  removeWidget?(widget: Widget): void;
  computeSize(): [number, number];
  setSize(size: [number, number]): void;
  setDirtyCanvas?(front: boolean, back: boolean): void;
  onConfigure?: (...given: never[]) => unknown;
  onExecuted?: (...given: never[]) => unknown;
  onConnectionsChange?: (...given: never[]) => unknown;
  onRemoved?: (...given: never[]) => unknown;
}

/** A node as a workflow keeps it. */
export interface SavedNode {
  widgets_values?: unknown;
  widgets_values_named?: Record<string, unknown>;
}

/** An input or output of a subgraph, seen from inside. */
export interface SubgraphSlot {
  connect(slot: Input | Output, node: GraphNode, reroute?: number): unknown;
}

export interface Graph {
  nodes?: GraphNode[];
  _nodes?: GraphNode[];
  links?: Record<number, Link>;
  inputs?: SubgraphSlot[];
  outputs?: SubgraphSlot[];
  rootGraph?: Graph;
  subgraphs?: Map<string, Graph>;
  getLink?(id: number): Link | undefined;
  getNodeById(id: number | string): GraphNode | null | undefined;
  add(node: GraphNode): unknown;
  remove(node: GraphNode): void;
  onTrigger?(name: string, given: object): void;
}

export interface Canvas {
  graph: Graph;
  emitBeforeChange?(): void;
  emitAfterChange?(): void;
  selectItems?(nodes: GraphNode[]): void;
  selectNodes?(nodes: GraphNode[]): void;
  centerOnNode?(node: GraphNode): void;
  setDirty?(front: boolean, back: boolean): void;
}

export interface Badge {
  text: string;
}

/** `badgesRead` is ours: see `refreshBadges` of host.mjs. */
export interface SidebarTab {
  id: string;
  icon: string;
  iconBadge: string | null;
  title: string;
  tooltip: string;
  type: "custom";
  render(element: HTMLElement): unknown;
  destroy(): void;
  badgesRead?: number;
}

export interface ExtensionManager {
  toast: { add(message: { severity: Severity; summary: string; detail: string; life: number }): void };
  dialog?: { confirm?(question: { title: string; message: string }): Promise<boolean | null> };
  setting?: { get?(id: string): unknown };
  sidebarTab?: { activeSidebarTabId: string | null };
  registerSidebarTab(tab: SidebarTab): void;
  getSidebarTabs?(): SidebarTab[];
}

export interface Extension {
  name: string;
  commands: { id: string; label: () => string; icon: string; function: () => unknown }[];
  menuCommands: { path: string[]; commands: string[] }[];
  settings: { id: string; name: string; tooltip: string; defaultValue: string; type: () => HTMLElement }[];
  setup(): unknown;
  refreshComboInNodes(): unknown;
  nodeCreated(node: GraphNode): void;
}

export interface App {
  canvas: Canvas;
  graph: Graph;
  rootGraph?: Graph;
  extensionManager: ExtensionManager;
  ui?: {
    settings?: {
      addEventListener?(name: string, listener: (event: CustomEvent<{ value?: unknown }>) => unknown): void;
    };
  };
  registerExtension(extension: Extension): void;
}

/** The host's event of a node that failed. */
export interface ExecutionError {
  node_id: string;
  node_type: string;
  exception_type: string;
  exception_message: string;
}

export interface Api {
  apiURL(path: string): string;
  fetchApi(path: string, options?: RequestInit): Promise<Pick<Response, "ok" | "status" | "json">>;
  addEventListener(name: "sora.job", listener: (event: CustomEvent<JobEvent>) => unknown): void;
  addEventListener(name: "execution_error", listener: (event: CustomEvent<ExecutionError>) => unknown): void;
  addEventListener(name: "sora.settings" | "reconnecting" | "reconnected", listener: () => unknown): void;
}

declare global {
  interface Window {
    LiteGraph: {
      vueNodesMode?: boolean;
      createNode(type: string): GraphNode;
      registered_node_types: Record<string, { title?: string } | undefined>;
    };
    LGraphBadge?: new (given: Badge) => Badge;
  }
}
