// What differs between two texts, by words (Myers, "An O(ND) Difference Algorithm", 1986).

const MOST_WORDS = 8000, MOST_CHANGES = 1500;

/** Words of Markdown without what is only markup, so that it can be compared with plain text. */
export function words(text) {
  const plain = text.replace(/<!--.*?-->/gs, " ").replace(/<\/?[a-z][^>]*>/gi, " ").replace(/^\s*\|?[\s:|-]+\|[\s:|-]*$/gm, " ")
    .replace(/[*_`#|~]+/g, " ").replace(/\\([^\w\s])/g, "$1");
  return plain.split(/\s+/).filter(Boolean);
}

/** Runs of words: `[[kind, words], …]` with the kinds "same", "gone" (only in `a`) and "new" (only in `b`); `null` when they
 *  differ in too much to be compared. */
export function diff(a, b) {
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) return null;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  const [n, m] = [a.length - start, b.length - start], at = new Map([[1, 0]]), steps = [];
  for (let changes = 0; changes <= n + m; changes++) {
    if (changes > MOST_CHANGES) return null;
    steps.push(new Map(at));
    for (let k = -changes; k <= changes; k += 2) {
      const down = k === -changes || (k !== changes && (at.get(k - 1) ?? -1) < (at.get(k + 1) ?? -1));
      let x = down ? at.get(k + 1) : at.get(k - 1) + 1;
      while (x < n && x - k < m && a[start + x] === b[start + x - k]) x += 1;
      at.set(k, x);
      if (x >= n && x - k >= m) return joined(a, b, start, back(steps, n, m));
    }
  }
  return [];
}

/** The way that was found, from its end: kinds in their order. */
function back(steps, n, m) {
  const kinds = [];
  let [x, y] = [n, m];
  for (let changes = steps.length - 1; changes >= 0; changes--) {
    const at = steps[changes], k = x - y;
    const down = k === -changes || (k !== changes && (at.get(k - 1) ?? -1) < (at.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1, fromX = at.get(before) ?? 0, fromY = fromX - before;
    while (x > fromX && y > fromY && x > 0 && y > 0) { kinds.push("same"); x -= 1; y -= 1; }
    if (changes > 0) { kinds.push(down ? "new" : "gone"); [x, y] = [fromX, fromY]; }
  }
  return kinds.reverse();
}

function joined(a, b, start, kinds) {
  const runs = start ? [["same", a.slice(0, start)]] : [];
  let [x, y] = [start, start];
  for (const kind of kinds) {
    const word = kind === "new" ? b[y] : a[x];
    if (kind !== "new") x += 1;
    if (kind !== "gone") y += 1;
    if (runs.at(-1)?.[0] === kind) runs.at(-1)[1].push(word);
    else runs.push([kind, [word]]);
  }
  return runs;
}
