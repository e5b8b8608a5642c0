/** How much memory LoadVideoFrames will need, before there is a file. */

import { sides } from "./fit.mjs";

const PIXEL = 12; // bytes: three floats
const FPS = 24; // of a video that is not there yet; Sora and Veo make 24, others up to 30

/** [width, height] that a frame is brought to, as FrameChoice.size does. */
function frameOf([width, height], { custom_width: wide, custom_height: tall }) {
  if (wide && tall) return [wide, tall];
  if (wide) return [wide, Math.max(1, Math.round((height * wide) / width))];
  return tall ? [Math.max(1, Math.round((width * tall) / height)), tall] : [width, height];
}

/** How many of the frames of so many seconds are chosen, as FrameChoice does. */
function framesOf(seconds, { force_rate: rate, skip_first_frames: skip, select_every_nth: nth, frame_load_cap: cap }) {
  const source = Math.round(seconds * FPS);
  const there = rate ? Math.floor(((source - 1) * rate) / FPS) + 1 : source;
  const kept = skip < 0 ? Math.min(there, -skip) : Math.max(0, there - (skip || 0));
  const chosen = Math.ceil(kept / (nth || 1));
  return cap ? Math.min(chosen, cap) : chosen;
}

/** Bytes of the chosen frames of a video of that length ("8") and size; undefined while either is unknown. */
export function memoryOf({ seconds, size }, settings) {
  const source = sides(size);
  if (!source || !(seconds > 0)) return undefined;
  const [width, height] = frameOf(source, settings);
  return PIXEL * width * height * framesOf(Number(seconds), settings);
}
