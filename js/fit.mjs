/** Where a reference lands when it is fitted: the same rectangles as the engine's (nodes/sora_jobs/media/resize.py). */

/**
 * "1280x720" -> [1280, 720]; undefined for anything else.
 *
 * @param {unknown} size
 * @returns {[width: number, height: number] | undefined}
 */
export function sides(size) {
  const found = /^(\d+)x(\d+)$/.exec(String(size ?? ""));
  const [width, height] = found ? found.slice(1).map(Number) : [];
  return width && height ? [width, height] : undefined;
}

/** @typedef {[left: number, top: number, width: number, height: number]} Rectangle */

/**
 * The largest part in the middle of width x height with the shape of across x down.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} across
 * @param {number} down
 * @returns {Rectangle}
 */
function middle(width, height, across, down) {
  const wide = Math.min(width, Math.max(1, Math.floor((2 * height * across + down) / (2 * down))));
  const tall = Math.min(height, Math.max(1, Math.floor((2 * width * down + across) / (2 * across))));
  return [Math.floor((width - wide) / 2), Math.floor((height - tall) / 2), wide, tall];
}

/**
 * Which part of an image of that width and height is seen, and where in the size, in pixels of each.
 *
 * @param {number} width
 * @param {number} height
 * @param {[width: number, height: number]} size
 * @param {unknown} fit "crop", "pad" or "stretch"
 * @returns {{ from: Rectangle, to: Rectangle }}
 */
export function fitted(width, height, [across, down], fit) {
  /** @type {Rectangle} */
  const whole = [0, 0, width, height];
  /** @type {Rectangle} */
  const all = [0, 0, across, down];
  if (fit === "crop") return { from: middle(width, height, across, down), to: all };
  return { from: whole, to: fit === "pad" ? middle(across, down, width, height) : all };
}
