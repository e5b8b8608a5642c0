/** Where a reference lands when it is fitted: the same rectangles as the engine's (nodes/sora/media/resize.py). */

/** "1280x720" -> [1280, 720]; undefined for anything else. */
export function sides(size) {
  const found = /^(\d+)x(\d+)$/.exec(size ?? "");
  return found && Number(found[1]) && Number(found[2]) ? [Number(found[1]), Number(found[2])] : undefined;
}

/** The largest part in the middle of width x height with another shape: [left, top, width, height]. */
function middle(width, height, across, down) {
  const wide = Math.min(width, Math.max(1, Math.floor((2 * height * across + down) / (2 * down))));
  const tall = Math.min(height, Math.max(1, Math.floor((2 * width * down + across) / (2 * across))));
  return [Math.floor((width - wide) / 2), Math.floor((height - tall) / 2), wide, tall];
}

/** {from, to}: which part of an image of that width and height is seen, and where in the size, in pixels of each. */
export function fitted(width, height, [across, down], fit) {
  const [whole, all] = [
    [0, 0, width, height],
    [0, 0, across, down],
  ];
  if (fit === "crop") return { from: middle(width, height, across, down), to: all };
  return { from: whole, to: fit === "pad" ? middle(across, down, width, height) : all };
}
