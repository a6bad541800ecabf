// Round steps for axes. Pure.

/** The smallest round step (1, 2 or 5 times a power of ten) that makes at most `count` parts of `span`. */
export function priceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999_999);
}

/** The multiples of `step` from `low` to `high`. */
export function ticks(low, high, step) {
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) found.push(index * step);
  return found;
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400]
  .map((seconds) => seconds * 1000);

/** The smallest round step of time that is at least `ms`. */
export const timeStep = (ms) => TIME_STEPS.find((step) => step >= ms) ?? Math.ceil(ms / 86_400_000) * 86_400_000;

/** The index of the first item whose time is at least `ts`. */
export function firstAt(items, ts) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].ts < ts) low = middle + 1;
    else high = middle;
  }
  return low;
}
