// The page of the topology: the drawing with rates, and the description below it. Owns nothing else.

import { setText } from './dom.js';
import { StatusPoll, stateWords } from './status.js';
import { showTopology } from './topology_live.js';

const byId = (id) => document.getElementById(id);

const poll = new StatusPoll();
showTopology(byId('topology'), poll);
poll.addEventListener('change', () => {
  const [words, tone] = stateWords(poll);
  setText(byId('application-state'), words);
  byId('application-state').dataset.tone = tone;
  if (poll.status) setText(byId('instance'), `${poll.status.application} · ${poll.status.instance}`);
});
poll.start();

const response = await fetch('/topology.txt');
setText(byId('description'), response.ok ? await response.text() : 'The description could not be read.');
