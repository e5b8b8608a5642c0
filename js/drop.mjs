/** A video file of ours that is dropped on the tab: which job made it? The file is read here and goes nowhere. */

/** @import { Host, JobResponse } from "./types.d.ts" */

import { jobInName } from "./row.mjs";

/** @param {ArrayBuffer} buffer */
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** @typedef {Pick<File, "name" | "arrayBuffer">} Dropped */

/**
 * SHA-256 of a file; "" where the page may not (crypto is there on https and loopback only) or the file is too large.
 *
 * @param {Dropped} file
 * @param {SubtleCrypto} subtle
 */
async function hashOf(file, subtle) {
  try {
    return hex(await subtle.digest("SHA-256", await file.arrayBuffer()));
  } catch {
    return "";
  }
}

/**
 * The ledger's id of the job that made a file, by what is in it or else by its name; "" where there is none.
 *
 * @param {Dropped} file
 * @param {Host["get"]} get
 * @param {SubtleCrypto | null} [subtle]
 */
export async function jobOf(file, get, subtle = globalThis.crypto?.subtle) {
  /** @param {string} path */
  const read = (path) => /** @type {typeof get<JobResponse>} */ (get)(path).catch(() => null);
  const hash = subtle ? await hashOf(file, subtle) : "";
  const found = hash && (await read(`/sora/of_file/${hash}`));
  if (found) return found.job.id;
  const named = jobInName(file.name);
  const response = named && (await read(`/sora/history/${named}`));
  return response ? response.job.id : "";
}

/**
 * Take files that are dropped on an element, before the page opens them as a workflow.
 *
 * @param {HTMLElement} element
 * @param {(file: File) => void} dropped
 */
export function takeDrops(element, dropped) {
  /**
   * A workflow or a picture is the page's own business.
   *
   * @param {DragEvent} event
   */
  const carries = (event) =>
    [...(event.dataTransfer?.items ?? [])].some(
      ({ kind, type }) => kind === "file" && (!type || type.startsWith("video/")),
    );
  /** @param {boolean} on */
  const highlight = (on) => element.classList.toggle("sora-drop", on);
  element.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    highlight(true);
  });
  element.addEventListener(
    "dragleave",
    (event) => element.contains(/** @type {Node | null} */ (event.relatedTarget)) || highlight(false),
  );
  element.addEventListener("drop", (event) => {
    highlight(false);
    if (!carries(event)) return;
    const file = event.dataTransfer?.files[0];
    event.preventDefault();
    event.stopPropagation();
    if (file) dropped(file);
  });
}
