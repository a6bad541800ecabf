// The application in a few numbers: speed, lag, tasks, records left out, time up. Owns the tiles alone.

import { element, setText, svg } from './dom.js';
import { count, duration, rate } from './format.js';
import { lagOf } from './status.js';

const POINTS = 60;

export class Tiles {
  #tiles;
  #speeds = [];
  #line = svg('polyline', { fill: 'none', 'vector-effect': 'non-scaling-stroke' });

  constructor(box) {
    const tile = (name) => {
      const made = element('div', { class: 'tile' }, element('span', { class: 'tile-name' }, name), element('strong', {}, '–'), element('span', { class: 'note' }));
      box.append(made);
      return made;
    };
    this.#tiles = { speed: tile('Records/s'), lag: tile('Lag'), tasks: tile('Tasks running'), dropped: tile('Left out'), up: tile('Up for') };
    this.#tiles.speed.append(svg('svg', { class: 'spark', viewBox: `0 0 ${POINTS - 1} 24`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, this.#line));
  }

  /** `sources` are the names of the nodes at which records enter. */
  update({ status, nodeRates, taskRates }, sources) {
    const { tasks, dropped } = status;
    const entered = [...nodeRates].filter(([name]) => sources.has(name)).map(([, value]) => value);
    const measured = entered.length ? entered : [...taskRates.values()];
    const speed = measured.length ? measured.reduce((sum, value) => sum + value, 0) : null;
    this.#write('speed', rate(speed), 'entering this instance');
    this.#spark(speed);
    const lags = tasks.map(lagOf).filter((lag) => lag !== null);
    const lag = lags.reduce((sum, one) => sum + one, 0);
    this.#write('lag', lags.length ? count(lag) : '–', lags.length ? 'records behind the ends' : 'no ends known yet');
    const running = tasks.filter((task) => task.phase === 'running').length;
    this.#write('tasks', tasks.length ? `${running} of ${tasks.length}` : '–', threads(tasks));
    const left = dropped.reduce((sum, [, records]) => sum + records, 0);
    const reasons = dropped.filter(([, records]) => records > 0).map(([reason, records]) => `${reason} ${count(records)}`);
    this.#write('dropped', count(left), reasons.join(', ') || 'no record dropped');
    this.#write('up', duration(status.uptime_ms), status.application);
  }

  #write(name, value, note) {
    const [, number, words] = this.#tiles[name].children;
    setText(number, value);
    setText(words, note);
  }

  #spark(speed) {
    if (speed === null) return;
    this.#speeds.push(speed);
    if (this.#speeds.length > POINTS) this.#speeds.shift();
    const top = Math.max(...this.#speeds, 1);
    const from = POINTS - this.#speeds.length;
    this.#line.setAttribute('points', this.#speeds.map((value, index) => `${from + index},${(22 - (value / top) * 20).toFixed(1)}`).join(' '));
  }
}

function threads(tasks) {
  if (!tasks.length) return 'none assigned yet';
  const number = new Set(tasks.map((task) => task.thread)).size;
  return number === 1 ? 'on 1 thread' : `on ${number} threads`;
}
