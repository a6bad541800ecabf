// The table of tasks with lag and restore progress. Owns its rows; must not know where the status comes from.

import { element, setText } from './dom.js';
import { clock, count, day, rate } from './format.js';
import { lagOf } from './status.js';

const COLUMNS = ['Task', 'Phase', 'Thread', 'Records/s', 'Processed', 'Lag', 'Buffered', 'Stream time (UTC)', 'Partitions'];
const NUMERIC = new Set([2, 3, 4, 5, 6]);

export class TasksTable {
  #box;
  #body = null;
  #rows = new Map();

  constructor(box) {
    this.#box = box;
  }

  /** Shows these tasks; rows are updated in place. */
  update(tasks, rates) {
    if (!tasks.length) {
      if (this.#body || !this.#box.firstElementChild) this.#box.replaceChildren(element('p', { class: 'waiting' }, 'Waiting for tasks to be assigned.'));
      this.#body = null;
      this.#rows.clear();
      return;
    }
    if (!this.#body) this.#table();
    const present = new Set(tasks.map((task) => task.id));
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    const sorted = [...tasks].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
    sorted.forEach((task, index) => {
      const row = this.#rows.get(task.id) ?? this.#row(task.id);
      if (this.#body.children[index] !== row) this.#body.insertBefore(row, this.#body.children[index] ?? null);
      fill(row, task, rates.get(task.id) ?? null);
    });
  }

  #table() {
    const heads = COLUMNS.map((name, index) => element('th', { scope: 'col', class: NUMERIC.has(index) ? 'numeric' : '' }, name));
    this.#body = element('tbody');
    this.#rows.clear();
    this.#box.replaceChildren(element('table', {}, element('thead', {}, element('tr', {}, ...heads)), this.#body));
  }

  #row(id) {
    const cells = COLUMNS.slice(1).map((_, index) => element('td', { class: NUMERIC.has(index + 1) ? 'numeric' : '' }));
    cells[0].append(element('span', { class: 'pill' }), element('progress', { max: '1', 'aria-label': `Restored part of task ${id}` }));
    const row = element('tr', {}, element('th', { scope: 'row' }, id), ...cells);
    this.#rows.set(id, row);
    return row;
  }
}

function fill(row, task, perSecond) {
  const [, phase, thread, speed, processed, lag, buffered, time, partitions] = row.children;
  const [pill, progress] = phase.children;
  const restoring = task.phase === 'restoring';
  const [done, total] = task.restored ?? [0, 0];
  const part = total > 0 ? Math.min(1, done / total) : 0;
  setText(pill, restoring ? `Restoring ${Math.floor(part * 100)} %` : 'Running');
  pill.dataset.tone = restoring ? 'warn' : 'good';
  progress.hidden = !restoring;
  progress.value = part;
  progress.title = restoring ? `${count(done)} of ${count(total)} records` : '';
  setText(thread, String(task.thread));
  setText(speed, rate(perSecond));
  setText(processed, count(task.processed));
  const behind = lagOf(task);
  setText(lag, behind === null ? '–' : count(behind));
  lag.dataset.tone = behind > 10_000 ? 'warn' : '';
  setText(buffered, count(task.partitions.reduce((sum, one) => sum + one.buffered, 0)));
  setText(time, task.stream_time_ms < 0 ? '–' : `${day(task.stream_time_ms)} ${clock(task.stream_time_ms, true)}`);
  setText(partitions, task.partitions.map((one) => `${one.topic}-${one.partition}`).join(', '));
}
