// The start page: wires the feed and the status to the parts that show them. Owns nothing else.

import { setText } from './dom.js';
import { Market } from './feed.js';
import { MarketView } from './market.js';
import { StatusPoll, stateWords } from './status.js';
import { TasksTable } from './tasks.js';
import { Tiles } from './tiles.js';
import { showTopology } from './topology_live.js';

const byId = (id) => document.getElementById(id);

const market = new Market();
new MarketView(market);
market.connect();

const poll = new StatusPoll();
const tasks = new TasksTable(byId('tasks'));
const tiles = new Tiles(byId('tiles'));
const topology = showTopology(byId('topology'), poll);

poll.addEventListener('change', () => {
  const [words, tone] = stateWords(poll);
  const state = byId('application-state');
  setText(state, words);
  state.dataset.tone = tone;
  state.title = poll.status?.error ?? '';
  if (!poll.status) return;
  tasks.update(poll.status.tasks, poll.taskRates);
  tiles.update(poll, topology.sources);
  setText(byId('tasks-note'), poll.status.tasks.length ? `${poll.status.instance}` : '');
  setText(byId('instance'), `${poll.status.application} · ${poll.status.instance}`);
});
poll.start();
