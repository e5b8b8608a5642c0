/** A video file of ours that is dropped on the tab: which job made it? The file is read here and goes nowhere. */

import { jobInName } from "./row.mjs";

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** SHA-256 of a file; "" where the page may not (crypto is there on https and loopback only) or the file is too large. */
async function hashOf(file, subtle) {
  try {
    return hex(await subtle.digest("SHA-256", await file.arrayBuffer()));
  } catch {
    return "";
  }
}

/** The ledger's id of the job that made a file, by what is in it or else by its name; "" where there is none. */
export async function jobOf(file, get, subtle = globalThis.crypto?.subtle) {
  const hash = subtle ? await hashOf(file, subtle) : "";
  const found = hash && (await get(`/sora/of_file/${hash}`).catch(() => null));
  if (found) return found.job.id;
  const named = jobInName(file.name);
  const row = named && (await get(`/sora/history/${named}`).catch(() => null));
  return row ? row.job.id : "";
}

/** Take files that are dropped on an element, before the page opens them as a workflow. */
export function takeDrops(element, dropped) {
  // A workflow or a picture is the page's own business.
  const carries = (event) =>
    [...(event.dataTransfer?.items ?? [])].some(
      ({ kind, type }) => kind === "file" && (!type || type.startsWith("video/")),
    );
  const mark = (on) => element.classList.toggle("sora-drop", on);
  element.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(true);
  });
  element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || mark(false));
  element.addEventListener("drop", (event) => {
    mark(false);
    if (!carries(event)) return;
    const file = event.dataTransfer.files[0];
    event.preventDefault();
    event.stopPropagation();
    dropped(file);
  });
}
