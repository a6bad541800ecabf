// The strokes of the candlestick chart, from a view that chart.js worked out. Must not know how the view came about.

import { clock, day, price } from './format.js';
import { firstAt, priceStep, ticks, timeStep } from './scale.js';

/** A crisp coordinate for a line one pixel wide. */
const crisp = (value) => Math.round(value) + 0.5;

export function paint(context, view) {
  context.font = view.colors.font;
  context.textBaseline = 'middle';
  grid(context, view);
  context.save();
  context.beginPath();
  context.rect(0, 0, view.width, view.volumeTop);
  context.clip();
  pastBand(context, view);
  forecast(context, view);
  context.restore();
  context.save();
  context.beginPath();
  context.rect(0, 0, view.width, view.bottom);
  context.clip();
  candles(context, view);
  context.restore();
  lastPrice(context, view);
  cursor(context, view);
}

function grid(context, view) {
  const { colors, width, bottom, low, high } = view;
  const step = priceStep(high - low, Math.max(2, Math.floor((view.volumeTop - 34) / 56)));
  context.lineWidth = 1;
  context.strokeStyle = colors.grid;
  context.fillStyle = colors.muted;
  context.textAlign = 'left';
  const decimals = Math.max(view.decimals, Math.min(8, Math.ceil(-Math.log10(step) - 1e-9)));
  for (const value of ticks(low, high, step)) {
    const y = crisp(view.y(value));
    line(context, 0, y, width, y);
    context.fillText(price(value, decimals), width + 10, y);
  }
  const every = timeStep((96 / view.slotWidth) * view.intervalMs);
  const from = view.firstSlot * view.intervalMs;
  const to = view.lastSlot * view.intervalMs;
  context.textAlign = 'center';
  for (const ts of ticks(from, to, every)) {
    const x = crisp(view.x(view.slotOf(ts)));
    if (x > width - 32 || x < 20) continue;
    line(context, x, 0, x, bottom);
    const midnight = ts % 86_400_000 === 0;
    context.fillText(midnight ? day(ts) : clock(ts, every < 60_000), x, bottom + 14);
  }
  context.strokeStyle = colors.line;
  line(context, 0, crisp(bottom), view.full, crisp(bottom));
  context.textAlign = 'left';
  context.fillText('UTC', width + 10, bottom + 14);
}

function line(context, fromX, fromY, toX, toY) {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

function candles(context, view) {
  const { colors, slotWidth } = view;
  const body = Math.max(1, Math.round(slotWidth * 0.68));
  const volumeMax = Math.max(...view.candles.map((candle) => candle.volume), Number.MIN_VALUE);
  const volumeHeight = view.bottom - view.volumeTop;
  for (const candle of view.candles) {
    const rises = candle.close >= candle.open;
    const left = Math.round(view.x(view.slotOf(candle.ts)) - body / 2);
    const height = Math.max(1, (candle.volume / volumeMax) * volumeHeight);
    context.fillStyle = rises ? colors['volume-up'] : colors['volume-down'];
    context.fillRect(left, view.bottom - height, body, height);
    context.fillStyle = rises ? colors.up : colors.down;
    const [top, base] = [view.y(candle.high), view.y(candle.low)];
    context.fillRect(Math.round(left + body / 2 - 0.5), top, 1, Math.max(1, base - top));
    const [from, to] = [view.y(Math.max(candle.open, candle.close)), view.y(Math.min(candle.open, candle.close))];
    context.fillRect(left, from, body, Math.max(1, to - from));
  }
}

/** What was predicted for the candles in view: a ribbon through the predicted ranges at their own times. */
function pastBand(context, view) {
  const { predictions } = view;
  if (!predictions.length) return;
  const reach = view.targetOf(predictions[0]) - view.slotOf(predictions[0].ts);
  const from = Math.max(0, firstAt(predictions, (view.firstSlot - reach) * view.intervalMs) - 1);
  let ribbon = [];
  const close = () => {
    if (ribbon.length > 1) fillRibbon(context, view, ribbon);
    ribbon = [];
  };
  for (const prediction of predictions.slice(from)) {
    const slot = view.targetOf(prediction);
    if (slot > view.newest) break;
    if (ribbon.length && slot - ribbon.at(-1).slot > view.gapMax) close();
    ribbon.push({ slot, low: prediction.low, high: prediction.high });
  }
  close();
}

function fillRibbon(context, view, ribbon) {
  context.beginPath();
  ribbon.forEach(({ slot, high }) => context.lineTo(view.x(slot), view.y(high)));
  [...ribbon].reverse().forEach(({ slot, low }) => context.lineTo(view.x(slot), view.y(low)));
  context.closePath();
  context.globalAlpha = 0.1;
  context.fillStyle = view.colors.band;
  context.fill();
  context.globalAlpha = 1;
}

/** The newest prediction: a fan that opens with the square root of time from the last close to the predicted range. */
function forecast(context, view) {
  const { latest, colors } = view;
  if (!latest) return;
  const origin = view.originOf(latest);
  const target = view.targetOf(latest);
  if (origin > view.lastSlot || target <= view.newest) return;
  const parts = 24;
  const edge = (price) => Array.from({ length: parts + 1 }, (_, index) => {
    const time = index / parts;
    const middle = latest.close + (latest.mid - latest.close) * time;
    return [view.x(origin + (target - origin) * time), view.y(middle + (price - latest.mid) * Math.sqrt(time))];
  });
  const [upper, lower] = [edge(latest.high), edge(latest.low)];
  const [startX, endX] = [view.x(origin), view.x(target)];
  const shade = context.createLinearGradient(startX, 0, endX, 0);
  shade.addColorStop(0, `${colors.band}57`);
  shade.addColorStop(1, `${colors.band}29`);
  context.fillStyle = shade;
  trace(context, [...upper, ...lower.toReversed()]);
  context.fill();
  context.strokeStyle = colors.band;
  context.lineWidth = 1.25;
  for (const side of [upper, lower]) {
    trace(context, side);
    context.stroke();
  }
  context.setLineDash([4, 3]);
  context.lineWidth = 1.75;
  trace(context, edge(latest.mid));
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colors.band;
  context.beginPath();
  context.arc(endX, view.y(latest.mid), 3.5, 0, 2 * Math.PI);
  context.fill();
}

function trace(context, points) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
}

function lastPrice(context, view) {
  const { last, colors, width } = view;
  const color = last.close >= last.open ? colors.up : colors.down;
  const y = view.y(last.close);
  if (y < 0 || y > view.volumeTop) return;
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  line(context, 0, crisp(y), width, crisp(y));
  context.setLineDash([]);
  tag(context, view, y, price(last.close, view.decimals), color, colors.surface);
}

/** A label on the price axis. */
function tag(context, view, y, text, fill, ink) {
  context.font = view.colors.font;
  const width = context.measureText(text).width + 12;
  context.fillStyle = fill;
  context.beginPath();
  context.roundRect(view.width + 4, y - 10, width, 20, 4);
  context.fill();
  context.fillStyle = ink;
  context.textAlign = 'left';
  context.fillText(text, view.width + 10, y + 0.5);
}

function cursor(context, view) {
  const { cursor: at, colors, width, bottom } = view;
  if (!at) return;
  context.strokeStyle = colors.muted;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  const x = crisp(view.x(at.slot));
  line(context, x, 0, x, bottom);
  if (at.y < view.volumeTop) {
    line(context, 0, crisp(at.y), width, crisp(at.y));
    context.setLineDash([]);
    tag(context, view, at.y, price(view.priceAt(at.y), view.decimals), colors.tag, colors['tag-text']);
  }
  context.setLineDash([]);
  const text = clock(at.slot * view.intervalMs, view.intervalMs < 60_000);
  const half = context.measureText(text).width / 2 + 6;
  const middle = Math.min(width - half, Math.max(half, x));
  context.fillStyle = colors.tag;
  context.beginPath();
  context.roundRect(middle - half, bottom + 4, half * 2, 20, 4);
  context.fill();
  context.fillStyle = colors['tag-text'];
  context.textAlign = 'center';
  context.fillText(text, middle, bottom + 14.5);
}
