// A drawing of the topology that is kept up to date by a status poll. Owns the trying again; must not know either page.

import { TopologyView } from './topology.js';

/** Draws into `box`; the result's `sources` are the names of the source nodes, once they are known. */
export function showTopology(box, poll) {
  const view = new TopologyView(box);
  const shown = { sources: new Set() };
  let state = 'wanted';
  poll.addEventListener('change', async () => {
    if (state === 'drawn') view.update(poll.nodeRates);
    if (state !== 'wanted' || !poll.reachable) return;
    state = 'asked';
    try {
      const topology = await view.load();
      shown.sources = new Set(topology.nodes.filter((node) => node.kind === 'source').map((node) => node.name));
      // Before the application is started its topology may still be empty.
      state = topology.nodes.length ? 'drawn' : 'wanted';
    } catch {
      state = 'wanted';
    }
  });
  return shown;
}
