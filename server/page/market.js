// The market's part of the page: which symbol and interval is shown, and every number beside the chart.
// Owns the choice; must not know how candles arrive or how they are painted.

import { Chart } from './chart.js';
import { amount, clock, count, day, decimalsOf, duration, intervalMs, percent, price } from './format.js';
import { firstAt } from './scale.js';
import { element, setText, svg } from './dom.js';

const INTERVALS = ['1s', '1m'];
const byId = (id) => document.getElementById(id);

export class MarketView {
  #market;
  #chart;
  #symbol = null;
  #interval = null;
  #chosenInterval = null;
  #shown = null;
  #frame = 0;
  #inspected = null;
  #describedAt = 0;
  #heldAt = 0;

  constructor(market) {
    this.#market = market;
    this.#chart = new Chart(byId('chart'), {
      onInspect: (candle) => {
        this.#inspected = candle;
        this.#readout();
      },
      onMove: (isLive) => { byId('go-live').hidden = isLive; },
    });
    byId('zoom-in').addEventListener('click', () => this.#chart.zoom(1.3));
    byId('zoom-out').addEventListener('click', () => this.#chart.zoom(1 / 1.3));
    byId('go-live').addEventListener('click', () => {
      this.#chart.goLive();
      byId('chart').focus();
    });
    market.addEventListener('change', () => this.#invalidate());
    market.addEventListener('connection', () => this.#connection());
    this.#invalidate();
  }

  #invalidate() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#update());
  }

  #update() {
    this.#frame = 0;
    this.#choose();
    this.#symbolButtons();
    this.#intervalButtons();
    const candles = this.#candles;
    byId('chart-empty').hidden = candles.length > 0;
    byId('zoom').hidden = candles.length === 0;
    byId('price').hidden = candles.length === 0;
    const decimals = decimalsOf(candles.slice(-60).map((candle) => candle.close));
    const predictions = this.#market.predictionsOf(this.#symbol, this.#interval);
    const key = `${this.#symbol} ${this.#interval}`;
    const data = {
      candles,
      predictions,
      intervalMs: intervalMs(this.#interval),
      predictionMs: intervalMs(predictions[0]?.interval ?? this.#interval),
      decimals,
    };
    this.#chart.show(data, key !== this.#shown);
    this.#shown = key;
    this.#headline(candles, decimals);
    this.#readout();
    this.#forecast(predictions.at(-1), decimals);
    this.#held(predictions);
    this.#mark(candles, predictions.at(-1));
    this.#describe(candles, decimals);
  }

  get #candles() {
    return this.#market.candlesOf(this.#symbol, this.#interval);
  }

  /** Until a person chooses, the interval that is predicted is shown, or else the finest. */
  #choose() {
    const { symbols } = this.#market;
    if (!symbols.includes(this.#symbol)) this.#symbol = symbols[0] ?? null;
    const present = this.#market.intervals(this.#symbol).sort((a, b) => intervalMs(a) - intervalMs(b));
    const predicted = present.find((interval) => this.#market.predicts(this.#symbol, interval));
    this.#interval = this.#chosenInterval ?? predicted ?? present[0] ?? INTERVALS[0];
  }

  #symbolButtons() {
    const box = byId('symbols');
    buttons(box, this.#market.symbols, this.#symbol, (symbol) => {
      this.#symbol = symbol;
      this.#inspected = null;
      this.#invalidate();
    });
    box.hidden = box.childElementCount === 0;
  }

  #intervalButtons() {
    const all = [...new Set([...INTERVALS, ...this.#market.intervals(this.#symbol)])];
    all.sort((a, b) => intervalMs(a) - intervalMs(b));
    buttons(byId('intervals'), all, this.#interval, (interval) => {
      this.#chosenInterval = interval;
      this.#inspected = null;
      this.#invalidate();
    });
  }

  #headline(candles, decimals) {
    const last = candles.at(-1);
    setText(byId('market-title'), this.#symbol ?? 'Market');
    byId('simulated').hidden = !last?.simulated;
    setText(byId('last-price'), last ? price(last.close, decimals) : '–');
    const first = candles[0];
    const change = last && first.open ? last.close / first.open - 1 : null;
    setChange(byId('change'), change);
    if (change !== null) byId('change').title = `Since ${clock(first.ts, true)} UTC, the oldest candle here`;
    document.title = last ? `${price(last.close, decimals)} ${this.#symbol} · candlewick` : 'candlewick';
  }

  #readout() {
    const candle = this.#inspected ?? this.#candles.at(-1);
    const box = byId('readout');
    box.hidden = !candle;
    if (!candle) return;
    const decimals = decimalsOf(this.#candles.slice(-60).map((one) => one.close));
    const write = (value) => price(value, decimals);
    const rows = [
      [day(candle.ts), `${clock(candle.ts, true)}`],
      ['O', write(candle.open)], ['H', write(candle.high)], ['L', write(candle.low)], ['C', write(candle.close)],
      ['Vol', amount(candle.volume)], ['Trades', count(candle.trades)],
    ];
    rows.forEach(([name, value], index) => {
      const row = box.children[index] ?? box.appendChild(element('div', {}, element('dt'), element('dd')));
      setText(row.children[0], name);
      setText(row.children[1], value);
    });
    box.dataset.tone = candle.close >= candle.open ? 'up' : 'down';
  }

  #forecast(latest, decimals) {
    byId('forecast').hidden = !latest;
    byId('forecast-empty').hidden = Boolean(latest);
    if (!latest) return;
    const write = (value) => price(value, decimals);
    const ends = latest.ts + intervalMs(latest.interval) + latest.horizon_ms;
    setText(byId('forecast-mid'), write(latest.mid));
    setChange(byId('forecast-change'), latest.mid / latest.close - 1);
    setText(byId('forecast-when'), `Median for ${clock(ends, true)} UTC, ${duration(latest.horizon_ms)} ahead of a close at ${write(latest.close)}`);
    setText(byId('forecast-high'), write(latest.high));
    setText(byId('forecast-low'), write(latest.low));
    setText(byId('forecast-width'), `${(((latest.high - latest.low) / latest.close) * 100).toFixed(3)} %`);
    setText(byId('forecast-model'), latest.model);
    this.#range(latest);
  }

  /** A strip from the low to the high price, with the median and the close it starts from. */
  #range({ low, mid, high, close }) {
    const box = byId('forecast-range');
    if (!box.childElementCount) {
      box.append(
        svg('rect', { class: 'range-band', y: 10, height: 14, rx: 7 }),
        svg('line', { class: 'range-close', y1: 4, y2: 30 }),
        svg('circle', { class: 'range-mid', cy: 17, r: 5.5 }),
      );
    }
    const [from, to] = [Math.min(low, close), Math.max(high, close)];
    const x = (value) => 8 + ((value - from) / (to - from || 1)) * 184;
    const [band, start, median] = box.children;
    band.setAttribute('x', x(low));
    band.setAttribute('width', Math.max(1, x(high) - x(low)));
    start.setAttribute('x1', x(close));
    start.setAttribute('x2', x(close));
    median.setAttribute('cx', x(mid));
  }

  /** How many of the closes that were predicted fell into their range. */
  #held(predictions) {
    const now = performance.now();
    if (now - this.#heldAt < 1000 && this.#heldAt) return;
    this.#heldAt = now;
    const candles = predictions.length ? this.#market.candlesOf(this.#symbol, predictions[0].interval) : [];
    const newest = candles.at(-1)?.ts ?? 0;
    let [inside, all] = [0, 0];
    for (const { ts, horizon_ms: horizon, low, high } of predictions) {
      const candle = candles[firstAt(candles, ts + horizon)];
      // The newest candle may still be open.
      if (!candle || candle.ts !== ts + horizon || candle.ts >= newest) continue;
      all += 1;
      if (candle.close >= low && candle.close <= high) inside += 1;
    }
    setText(byId('forecast-held'), all ? `${Math.round((inside / all) * 100)} % of ${count(all)}` : 'none due yet');
  }

  /** What is drawn, for who reads the page by program: a canvas says nothing by itself. */
  #mark(candles, latest) {
    const last = candles.at(-1);
    const marks = {
      symbol: this.#symbol, interval: this.#interval, candles: candles.length,
      last: last ? `${last.ts} ${last.open} ${last.high} ${last.low} ${last.close}` : '',
      band: latest ? `${latest.ts + latest.horizon_ms} ${latest.low} ${latest.mid} ${latest.high}` : '',
    };
    for (const [name, value] of Object.entries(marks)) byId('chart').dataset[name] = value ?? '';
  }

  /** The chart in words, now and then: a screen reader must not be flooded. */
  #describe(candles, decimals) {
    const now = performance.now();
    if (!candles.length || (now - this.#describedAt < 5000 && this.#describedAt)) return;
    this.#describedAt = now;
    const last = candles.at(-1);
    const text = `Candlestick chart of ${this.#symbol}, ${this.#interval} candles${last.simulated ? ', simulated' : ''}: `
      + `${candles.length} candles, last close ${price(last.close, decimals)} at ${clock(last.ts, true)} UTC`;
    byId('chart').setAttribute('aria-label', text);
  }

  #connection() {
    const [text, tone] = this.#market.connection === 'live' ? ['Feed live', 'good'] : ['Feed lost, reconnecting', 'bad'];
    setText(byId('feed-state'), text);
    byId('feed-state').dataset.tone = tone;
  }
}

function setChange(target, change) {
  setText(target, change === null ? '' : percent(change));
  target.dataset.tone = change === null || change === 0 ? 'flat' : change > 0 ? 'up' : 'down';
}

/** Keeps a row of toggle buttons; existing ones are updated in place, so that focus stays. */
function buttons(box, names, pressed, onPress) {
  const same = box.childElementCount === names.length && names.every((name, at) => box.children[at].value === name);
  if (!same) {
    const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
    box.replaceChildren(...names.map((name) => {
      const button = element('button', { type: 'button', value: name }, name);
      button.addEventListener('click', () => onPress(name));
      return button;
    }));
    [...box.children].find((button) => button.value === focused)?.focus();
  }
  for (const button of box.children) button.setAttribute('aria-pressed', String(button.value === pressed));
}
