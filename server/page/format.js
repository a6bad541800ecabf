// How numbers and times are written. Owns no state but its formatters; must not know the page.

const numbers = new Map();

function fixed(decimals) {
  if (!numbers.has(decimals)) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    numbers.set(decimals, new Intl.NumberFormat('en-US', options));
  }
  return numbers.get(decimals);
}

const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });

/** A price with a fixed number of decimals. */
export const price = (value, decimals) => fixed(decimals).format(value);

/** A whole number, or a short form of a large one. */
export const count = (value) => (Math.abs(value) < 100_000 ? fixed(0).format(value) : compact.format(value));

/** A volume or a rate: three digits that matter. */
export const amount = (value) => (value === 0 ? '0' : Math.abs(value) < 0.01 ? value.toPrecision(2) : compact.format(value));

/** Records per second. */
export const rate = (value) => (value === null ? '–' : value < 10 && value > 0 ? value.toFixed(1) : count(Math.round(value)));

/** A change in percent with its sign. */
export function percent(fraction) {
  const value = fraction * 100;
  const sign = value > 0 ? '+' : value < 0 ? '−' : '';
  return `${sign}${Math.abs(value).toFixed(2)} %`;
}

/** A length of time in its two largest units. */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  const units = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0 s';
  const [name, size] = units[first];
  const rest = units[first + 1];
  const more = rest ? Math.floor((seconds % size) / rest[1]) : 0;
  return `${Math.floor(seconds / size)} ${name}${more > 0 ? ` ${more} ${rest[0]}` : ''}`;
}

const two = (value) => String(value).padStart(2, '0');

/** The time of day in UTC. */
export function clock(ts, withSeconds) {
  const time = new Date(ts);
  const minutes = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
  return withSeconds ? `${minutes}:${two(time.getUTCSeconds())}` : minutes;
}

/** The day in UTC. */
export function day(ts) {
  const time = new Date(ts);
  return `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
}

/** The milliseconds of an interval's short name, such as `1m`. */
export function intervalMs(name) {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
  const [, amountText, unit] = /^(\d+)(ms|s|m|h|d|w)$/.exec(name) ?? [null, '1', 'm'];
  return Number(amountText) * units[unit];
}

/** How many decimals prices like these need, at most what their size makes readable. */
export function decimalsOf(values) {
  const largest = Math.max(...values.map(Math.abs), 0);
  const bound = largest >= 1000 ? 2 : largest >= 10 ? 3 : largest >= 1 ? 4 : 8;
  const digits = (value) => (String(value).split('.')[1] ?? '').length;
  return Math.min(bound, Math.max(2, ...values.map(digits)));
}
