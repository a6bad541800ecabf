// The candlestick chart: what part of the market is in view, and how a person moves through it.
// Owns the view and its easing; the strokes are in paint.js. Must not know where candles come from.

import { paint } from './paint.js';
import { firstAt } from './scale.js';

const AXIS_WIDTH = 78;
const TIME_HEIGHT = 26;
const TOP = 34;
const SLOT_MIN = 2.5;
const SLOT_MAX = 40;
const EASE_MS = 90;
/** The part of the chart that the future may take. */
const AHEAD_MAX = 0.25;

export class Chart {
  #canvas;
  #context;
  #data = { candles: [], predictions: [], intervalMs: 1000, predictionMs: 1000, decimals: 2 };
  #slotWidth = 9;
  #offset = 0;
  #newest = 0;
  #cursor = null;
  #eased = null;
  #frame = 0;
  #drawnAt = 0;
  #colors = {};
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  /** `onInspect(candle or null)` is told what is under the cursor; `onMove(isLive)` whether the newest is in view. */
  constructor(canvas, { onInspect, onMove }) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    this.onInspect = onInspect;
    this.onMove = onMove;
    this.#readColors();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#readColors();
      this.#invalidate();
    });
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#listen();
  }

  /** Shows this data; `reset` jumps to it instead of gliding. */
  show(data, reset) {
    this.#data = data;
    const newest = data.candles.length ? this.#slotOf(data.candles.at(-1).ts) : 0;
    // Who looks at the past goes on looking at it.
    if (!reset && this.#offset >= 1) this.#offset += newest - this.#newest;
    this.#newest = newest;
    if (reset) {
      this.#eased = null;
      this.#offset = 0;
      this.#cursor = null;
      this.onMove(true);
    }
    this.#invalidate();
  }

  zoom(factor) {
    this.#slotWidth = Math.min(SLOT_MAX, Math.max(SLOT_MIN, this.#slotWidth * factor));
    this.#pan(0);
  }

  goLive() {
    this.#pan(-Infinity);
  }

  #pan(slots) {
    const { candles, intervalMs } = this.#data;
    const span = candles.length ? (candles.at(-1).ts - candles[0].ts) / intervalMs : 0;
    this.#offset = Math.min(Math.max(0, span - 10), Math.max(0, this.#offset + slots));
    this.onMove(this.#offset < 1);
    this.#invalidate();
  }

  #readColors() {
    const style = getComputedStyle(document.documentElement);
    const names = ['surface', 'text', 'muted', 'line', 'grid', 'up', 'down', 'band', 'tag', 'tag-text', 'volume-up', 'volume-down'];
    this.#colors = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.#colors.font = `12px ${style.getPropertyValue('--font')}`;
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const density = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(clientWidth * density);
    this.#canvas.height = Math.round(clientHeight * density);
    this.#draw();
  }

  #invalidate() {
    if (!this.#frame) this.#frame = requestAnimationFrame((now) => this.#step(now));
  }

  #step(now) {
    this.#frame = 0;
    const passed = Math.min(100, now - this.#drawnAt);
    this.#drawnAt = now;
    const aim = this.#aim();
    if (!aim) {
      this.#eased = null;
    } else if (!this.#eased || this.#still.matches) {
      this.#eased = aim;
    } else {
      const part = 1 - Math.exp(-passed / EASE_MS);
      let moving = false;
      for (const name of Object.keys(aim)) {
        const left = aim[name] - this.#eased[name];
        const scale = name === 'right' ? 1 : aim.high - aim.low;
        const arrived = Math.abs(left) < scale * 0.002 || (name === 'right' && Math.abs(left) > 60);
        this.#eased[name] = arrived ? aim[name] : this.#eased[name] + left * part;
        moving ||= !arrived;
      }
      if (moving) this.#invalidate();
    }
    this.#draw();
  }

  get #plotWidth() {
    return Math.max(50, this.#canvas.clientWidth - AXIS_WIDTH);
  }

  /** Slots are intervals counted from 1970. */
  #slotOf(ts) {
    return ts / this.#data.intervalMs;
  }

  /** The slot at whose end the predicted close lies. */
  #targetOf(prediction) {
    return this.#slotOf(prediction.ts + this.#data.predictionMs + prediction.horizon_ms) - 1;
  }

  /** The slot at whose end the close lies that the prediction starts from. */
  #originOf(prediction) {
    return this.#slotOf(prediction.ts + this.#data.predictionMs) - 1;
  }

  /** Where the view should be: its right edge as a slot, and its range of prices. */
  #aim() {
    const { candles, predictions } = this.#data;
    if (!candles.length) return null;
    const visible = this.#plotWidth / this.#slotWidth;
    const newest = this.#slotOf(candles.at(-1).ts);
    const latest = predictions.at(-1);
    const wanted = latest ? Math.max(0, this.#targetOf(latest) - newest) + 1.5 : 1.5;
    const right = newest + Math.min(wanted, Math.max(2, visible * AHEAD_MAX)) - this.#offset;
    const from = (right - visible) * this.#data.intervalMs;
    let [low, high] = [Infinity, -Infinity];
    for (let at = firstAt(candles, from); at < candles.length && this.#slotOf(candles[at].ts) <= right; at += 1) {
      low = Math.min(low, candles[at].low);
      high = Math.max(high, candles[at].high);
    }
    if (latest && this.#originOf(latest) <= right) {
      low = Math.min(low, latest.low);
      high = Math.max(high, latest.high);
    }
    if (low > high) return this.#eased ? { ...this.#eased, right } : null;
    const room = Math.max((high - low) * 0.06, Math.abs(high) * 1e-6);
    return { right, low: low - room, high: high + room };
  }

  #draw() {
    const view = this.#view();
    const density = window.devicePixelRatio || 1;
    this.#context.setTransform(density, 0, 0, density, 0, 0);
    this.#context.clearRect(0, 0, this.#canvas.clientWidth, this.#canvas.clientHeight);
    if (view) paint(this.#context, view);
  }

  /** Everything that painting needs. */
  #view() {
    if (!this.#eased) return null;
    const { candles, predictions, intervalMs, decimals } = this.#data;
    const { right, low, high } = this.#eased;
    const width = this.#plotWidth;
    const bottom = this.#canvas.clientHeight - TIME_HEIGHT;
    const prices = { top: TOP, bottom: bottom - (bottom - TOP) * 0.17 };
    const left = right - width / this.#slotWidth;
    return {
      context: this.#context,
      colors: this.#colors,
      width,
      full: this.#canvas.clientWidth,
      bottom,
      volumeTop: prices.bottom + 6,
      low,
      high,
      decimals,
      intervalMs,
      slotWidth: this.#slotWidth,
      firstSlot: left,
      lastSlot: right,
      newest: this.#slotOf(candles.at(-1)?.ts ?? 0),
      candles: candles.slice(firstAt(candles, (left - 1) * intervalMs), firstAt(candles, (right + 1) * intervalMs)),
      last: candles.at(-1),
      predictions,
      latest: predictions.at(-1),
      cursor: this.#cursor,
      slotOf: (ts) => this.#slotOf(ts),
      targetOf: (prediction) => this.#targetOf(prediction),
      originOf: (prediction) => this.#originOf(prediction),
      gapMax: 3 * Math.max(1, this.#data.predictionMs / intervalMs),
      x: (slot) => width - (right - slot) * this.#slotWidth,
      y: (value) => prices.bottom - ((value - low) / (high - low)) * (prices.bottom - prices.top),
      priceAt: (y) => low + ((prices.bottom - y) / (prices.bottom - prices.top)) * (high - low),
    };
  }

  #inspect(x, y) {
    const view = this.#view();
    if (!view || x > view.width) return this.#leave();
    const slot = Math.round(view.firstSlot + x / this.#slotWidth);
    this.#setCursor(slot, y);
  }

  #setCursor(slot, y) {
    const { candles, intervalMs } = this.#data;
    const at = firstAt(candles, slot * intervalMs);
    const candle = candles[at]?.ts === slot * intervalMs ? candles[at] : null;
    this.#cursor = { slot, y, candle };
    this.onInspect(candle);
    this.#invalidate();
  }

  #leave() {
    this.#cursor = null;
    this.onInspect(null);
    this.#invalidate();
  }

  #listen() {
    const canvas = this.#canvas;
    let dragged = null;
    canvas.addEventListener('pointerdown', (event) => {
      dragged = event.clientX;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (dragged !== null) {
        this.#pan((event.clientX - dragged) / this.#slotWidth);
        dragged = event.clientX;
      }
      this.#inspect(event.offsetX, event.offsetY);
    });
    canvas.addEventListener('pointerup', () => { dragged = null; });
    canvas.addEventListener('pointercancel', () => { dragged = null; });
    canvas.addEventListener('pointerleave', () => this.#leave());
    canvas.addEventListener('blur', () => this.#leave());
    // The page scrolls with a plain wheel; with the control key, or a pinch, the chart zooms.
    canvas.addEventListener('wheel', (event) => {
      if (event.ctrlKey) this.zoom(Math.exp(-event.deltaY / 200));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.#pan(-event.deltaX / this.#slotWidth);
      else return;
      event.preventDefault();
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key in steps) this.#walk(steps[event.key]);
    else if (event.key === '+' || event.key === '=') this.zoom(1.25);
    else if (event.key === '-') this.zoom(0.8);
    else if (event.key === 'End') this.goLive();
    else if (event.key === 'Escape') this.#leave();
    else return;
    event.preventDefault();
  }

  /** Moves the cursor by candles, and the view with it. */
  #walk(steps) {
    const { candles } = this.#data;
    if (!candles.length) return;
    const from = this.#cursor ? firstAt(candles, this.#cursor.slot * this.#data.intervalMs) : candles.length - 1;
    const to = Math.min(candles.length - 1, Math.max(0, from + (this.#cursor ? steps : 0)));
    const view = this.#view();
    const slot = this.#slotOf(candles[to].ts);
    if (view && slot < view.firstSlot + 1) this.#pan(view.firstSlot + 1 - slot);
    if (view && slot > view.lastSlot - 1) this.#pan(view.lastSlot - 1 - slot);
    this.#setCursor(slot, view ? view.y(candles[to].close) : 0);
  }
}
