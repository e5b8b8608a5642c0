/** What changed from one text to another, word by word. */

const MOST = 1500; // words; the table below has the square of it

/**
 * @param {string} text
 * @returns {string[]}
 */
const pieces = (text) => text.match(/\s+|[\p{L}\p{N}'’-]+|[^\s]/gu) ?? [];

/**
 * How long the longest common part is, from each pair of places on: rows of `before`, columns of `after`.
 *
 * @param {string[]} before
 * @param {string[]} after
 */
function lengths(before, after) {
  const wide = after.length + 1;
  const table = new Uint16Array((before.length + 1) * wide);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const at = i * wide + j;
      table[at] = before[i] === after[j] ? table[at + wide + 1] + 1 : Math.max(table[at + wide], table[at + 1]);
    }
  }
  return (/** @type {number} */ i, /** @type {number} */ j) => table[i * wide + j];
}

/** @typedef {[sign: " " | "-" | "+", text: string]} Part what stayed, what went, or what came */

/**
 * What became of a text, in the order of both.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Part[]}
 */
export function diff(before, after) {
  const [old, young] = [pieces(before), pieces(after)];
  if (Math.max(old.length, young.length) > MOST) {
    return [
      ["-", before],
      ["+", after],
    ];
  }
  const common = lengths(old, young);
  /** @type {Part[]} */
  const parts = [];
  /** @param {Part} part */
  const add = ([sign, text]) => {
    const last = parts.at(-1);
    if (last?.[0] === sign) last[1] += text;
    else parts.push([sign, text]);
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < young.length) {
    if (i < old.length && old[i] === young[j]) add([" ", (j++, old[i++])]);
    else if (j >= young.length || (i < old.length && common(i + 1, j) >= common(i, j + 1))) add(["-", old[i++]]);
    else add(["+", young[j++]]);
  }
  return parts;
}
