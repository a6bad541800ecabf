// What the application does, asked once a second, with rates from the difference of two answers.
// Owns the asking; must not know how anything is shown.

const EVERY_MS = 1000;

/** Asks for the status while the page is visible, and tells of every answer. */
export class StatusPoll extends EventTarget {
  status = null;
  reachable = false;
  /** Records per second by node and by task; empty until the second answer. */
  nodeRates = new Map();
  taskRates = new Map();
  #askedAt = 0;
  #timer = 0;

  start() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#ask();
    });
    this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    try {
      const response = await fetch('/status', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.#take(await response.json(), performance.now());
      this.reachable = true;
    } catch {
      // A server that stops or restarts: the page says so and goes on asking.
      this.reachable = false;
    }
    this.dispatchEvent(new Event('change'));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), EVERY_MS);
  }

  #take(status, now) {
    const before = this.status;
    const seconds = (now - this.#askedAt) / 1000;
    if (before && before.instance === status.instance && before.uptime_ms <= status.uptime_ms) {
      this.nodeRates = rates(before.nodes, status.nodes, 'name', seconds, this.nodeRates);
      this.taskRates = rates(before.tasks, status.tasks, 'id', seconds, this.taskRates);
    } else {
      this.nodeRates = new Map();
      this.taskRates = new Map();
    }
    this.status = status;
    this.#askedAt = now;
  }
}

/** Half of a new rate and half of the one before, so that numbers can be read. */
function rates(before, after, name, seconds, smoothed) {
  const known = new Map(before.map((one) => [one[name], one.processed]));
  const found = new Map();
  for (const one of after) {
    const earlier = known.get(one[name]);
    if (earlier === undefined || earlier > one.processed || seconds <= 0) continue;
    const rate = (one.processed - earlier) / seconds;
    const mean = (rate + (smoothed.get(one[name]) ?? rate)) / 2;
    found.set(one[name], mean < 0.05 ? 0 : mean);
  }
  return found;
}

/** The lag of a task: the sum over its partitions whose ends are known, or null. */
export function lagOf(task) {
  const known = task.partitions.filter((one) => one.end !== null && one.position !== null);
  return known.length ? known.reduce((sum, one) => sum + Math.max(0, one.end - one.position), 0) : null;
}

/** A state in words, and how it should look. */
export function stateWords(poll) {
  if (!poll.reachable) return ['Application not reachable', 'bad'];
  const words = {
    CREATED: ['Not started', 'quiet'],
    REBALANCING: ['Rebalancing', 'warn'],
    RUNNING: ['Running', 'good'],
    PENDING_SHUTDOWN: ['Stopping', 'warn'],
    NOT_RUNNING: ['Stopped', 'quiet'],
    PENDING_ERROR: ['Failing', 'bad'],
    ERROR: ['Failed', 'bad'],
  };
  return words[poll.status.state] ?? [poll.status.state, 'quiet'];
}
