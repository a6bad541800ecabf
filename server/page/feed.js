// The market as this page knows it: series of candles and predictions, kept in order, from the server's feed.
// Owns the connection; must not know how anything is drawn.

const KEPT_MAX = 1000;

/** Events with a `ts`, in the order of their times, each time once. */
class Series {
  items = [];

  upsert(event) {
    const { items } = this;
    let at = items.length;
    while (at > 0 && items[at - 1].ts > event.ts) at -= 1;
    if (at > 0 && items[at - 1].ts === event.ts) items[at - 1] = event;
    else items.splice(at, 0, event);
    if (items.length > KEPT_MAX) items.splice(0, items.length - KEPT_MAX);
  }
}

/** Follows the feed and tells of every change. */
export class Market extends EventTarget {
  candles = new Map();
  predictions = new Map();
  connection = 'connecting';
  #run = null;

  connect(url = '/feed') {
    const source = new EventSource(url);
    source.addEventListener('open', () => this.#say('live'));
    source.addEventListener('error', () => this.#say('lost'));
    source.addEventListener('hello', (message) => this.#greet(JSON.parse(message.data)));
    source.addEventListener('events', (message) => {
      for (const event of JSON.parse(message.data)) this.#take(event);
      this.dispatchEvent(new Event('change'));
    });
  }

  /** The symbols that have candles, in alphabetical order. */
  get symbols() {
    return [...this.candles.keys()].sort();
  }

  /** The intervals that a symbol has candles of. */
  intervals(symbol) {
    return [...(this.candles.get(symbol)?.keys() ?? [])];
  }

  candlesOf(symbol, interval) {
    return this.candles.get(symbol)?.get(interval)?.items ?? [];
  }

  /** Predictions from candles of this interval, or else of any other. */
  predictionsOf(symbol, interval) {
    const all = this.predictions.get(symbol);
    if (!all) return [];
    return (all.get(interval) ?? [...all.values()][0]).items;
  }

  /** Whether predictions are made from candles of this very interval. */
  predicts(symbol, interval) {
    return this.predictions.get(symbol)?.has(interval) ?? false;
  }

  #say(connection) {
    this.connection = connection;
    this.dispatchEvent(new Event('connection'));
  }

  #greet({ run }) {
    // Another process has another market: nothing of the former one is mixed into it.
    if (this.#run !== null && this.#run !== run) {
      this.candles.clear();
      this.predictions.clear();
      this.dispatchEvent(new Event('change'));
    }
    this.#run = run;
  }

  #take(event) {
    const kinds = { candle: this.candles, prediction: this.predictions };
    const kind = kinds[event.type];
    if (!kind) return;
    if (!kind.has(event.symbol)) kind.set(event.symbol, new Map());
    const intervals = kind.get(event.symbol);
    if (!intervals.has(event.interval)) intervals.set(event.interval, new Series());
    intervals.get(event.interval).upsert(event);
  }
}
