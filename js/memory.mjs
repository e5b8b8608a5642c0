/** How much memory LoadVideoFrames will need, before there is a file. */

/** @typedef {Partial<Record<string, unknown>>} FrameChoice the widgets of LoadVideoFrames, by name */

import { sides } from "./fit.mjs";

const PIXEL = 12; // bytes: three floats
const FPS = 24; // of a video that is not there yet; Sora and Veo make 24, others up to 30

/** @param {unknown} value */
const numberOf = (value) => Number(value) || 0;

/**
 * [width, height] that a frame is brought to, as FrameChoice.size does.
 *
 * @param {[width: number, height: number]} size
 * @param {FrameChoice} settings
 */
function frameOf([width, height], settings) {
  const [wide, tall] = [numberOf(settings.custom_width), numberOf(settings.custom_height)];
  if (wide && tall) return [wide, tall];
  if (wide) return [wide, Math.max(1, Math.round((height * wide) / width))];
  return tall ? [Math.max(1, Math.round((width * tall) / height)), tall] : [width, height];
}

/**
 * How many of the frames of so many seconds are chosen, as FrameChoice does.
 *
 * @param {number} seconds
 * @param {FrameChoice} settings
 */
function framesOf(seconds, settings) {
  const [rate, skip] = [numberOf(settings.force_rate), numberOf(settings.skip_first_frames)];
  const [nth, cap] = [numberOf(settings.select_every_nth), numberOf(settings.frame_load_cap)];
  const source = Math.round(seconds * FPS);
  const there = rate ? Math.floor(((source - 1) * rate) / FPS) + 1 : source;
  const kept = skip < 0 ? Math.min(there, -skip) : Math.max(0, there - skip);
  const chosen = Math.ceil(kept / (nth || 1));
  return cap ? Math.min(chosen, cap) : chosen;
}

/**
 * Bytes of the chosen frames of a video of that length ("8") and size; undefined while either is unknown.
 *
 * @param {{ seconds?: unknown, size?: unknown }} video
 * @param {FrameChoice} settings
 */
export function memoryOf({ seconds, size }, settings) {
  const source = sides(size);
  if (!source || !(Number(seconds) > 0)) return undefined;
  const [width, height] = frameOf(source, settings);
  return PIXEL * width * height * framesOf(Number(seconds), settings);
}
