// The places of nodes in a drawing of layers from left to right. Pure: numbers in, numbers out.

const SWEEPS = 6;

/**
 * Lays out a graph. `nodes` are names, `edges` pairs of names, `height(name)` the height of a node.
 * Returns the place of every node (`x` of its layer, `y` of its middle), and for every edge the points it passes through.
 */
export function layout(nodes, edges, height, { columnWidth, gap }) {
  const forward = acyclic(nodes, edges);
  const depth = depths(nodes, forward);
  const { layers, chains } = withPassages(nodes, forward, depth);
  const around = neighbours(chains);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) order(layers, around, sweep % 2 === 0);
  const heightOf = (item) => (typeof item === 'string' ? height(item) : 10);
  const y = levels(layers, around, heightOf, gap);
  const place = (item) => ({ x: (typeof item === 'string' ? depth.get(item) : item.layer) * columnWidth, y: y.get(item) });
  const places = new Map(nodes.map((name) => [name, place(name)]));
  const routes = chains.map((chain) => ({ from: chain[0], to: chain.at(-1), through: chain.slice(1, -1).map(place) }));
  const lowest = Math.max(0, ...layers.flat().map((item) => y.get(item) + heightOf(item) / 2));
  return { places, routes, columns: layers.length, height: lowest };
}

/** The edges without those that close a circle, each once. */
function acyclic(nodes, edges) {
  const below = new Map(nodes.map((name) => [name, []]));
  for (const [from, to] of edges) if (below.has(from) && below.has(to) && !below.get(from).includes(to)) below.get(from).push(to);
  const state = new Map();
  const kept = [];
  const visit = (name) => {
    state.set(name, 'open');
    for (const next of below.get(name)) {
      if (state.get(next) === 'open') continue;
      kept.push([name, next]);
      if (!state.has(next)) visit(next);
    }
    state.set(name, 'done');
  };
  for (const name of nodes) if (!state.has(name)) visit(name);
  return kept;
}

/** The longest way from a node without parents to each node; then sources are pulled up to their children. */
function depths(nodes, edges) {
  const depth = new Map(nodes.map((name) => [name, 0]));
  for (let changed = true; changed;) {
    changed = false;
    for (const [from, to] of edges) {
      if (depth.get(to) <= depth.get(from)) {
        depth.set(to, depth.get(from) + 1);
        changed = true;
      }
    }
  }
  const roots = nodes.filter((name) => !edges.some(([, to]) => to === name));
  // From the right to the left, so that a topic follows the source that it feeds.
  for (const name of [...nodes].sort((a, b) => depth.get(b) - depth.get(a))) {
    const above = edges.filter(([, to]) => to === name).map(([from]) => from);
    const children = edges.filter(([from]) => from === name).map(([, to]) => depth.get(to));
    const free = roots.includes(name) || above.every((parent) => roots.includes(parent) && edges.filter(([from]) => from === parent).length === 1);
    if (free && children.length) depth.set(name, Math.min(...children) - 1);
  }
  return depth;
}

/** Layers of names, with a passage in every layer that an edge crosses. */
function withPassages(nodes, edges, depth) {
  const layers = [];
  const layer = (index) => (layers[index] ??= []);
  for (const name of nodes) layer(depth.get(name)).push(name);
  const chains = edges.map(([from, to]) => {
    const chain = [from];
    for (let at = depth.get(from) + 1; at < depth.get(to); at += 1) {
      const passage = { layer: at };
      layer(at).push(passage);
      chain.push(passage);
    }
    return [...chain, to];
  });
  for (let index = 0; index < layers.length; index += 1) layer(index);
  return { layers, chains };
}

function neighbours(chains) {
  const around = { left: new Map(), right: new Map() };
  const add = (map, key, value) => map.set(key, [...(map.get(key) ?? []), value]);
  for (const chain of chains) {
    for (let at = 1; at < chain.length; at += 1) {
      add(around.left, chain[at], chain[at - 1]);
      add(around.right, chain[at - 1], chain[at]);
    }
  }
  return around;
}

/** Sorts each layer by the mean rank of its neighbours on one side: fewer edges cross. */
function order(layers, around, rightwards) {
  const side = rightwards ? around.left : around.right;
  const rank = new Map(layers.flatMap((layer) => layer.map((item, index) => [item, index])));
  for (const layer of rightwards ? layers : layers.toReversed()) {
    const weight = (item) => mean((side.get(item) ?? []).map((other) => rank.get(other)), rank.get(item));
    const weights = new Map(layer.map((item) => [item, weight(item)]));
    layer.sort((a, b) => weights.get(a) - weights.get(b));
    layer.forEach((item, index) => rank.set(item, index));
  }
}

/** Heights: each item near its neighbours, none over another. */
function levels(layers, around, heightOf, gap) {
  const y = new Map();
  for (const layer of layers) stack(layer, () => 0, y, heightOf, gap);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const side = sweep % 2 === 0 ? around.left : around.right;
    for (const layer of sweep % 2 === 0 ? layers : layers.toReversed()) {
      stack(layer, (item) => mean((side.get(item) ?? []).map((other) => y.get(other)), y.get(item)), y, heightOf, gap);
    }
  }
  const top = Math.min(0, ...layers.flat().map((item) => y.get(item) - heightOf(item) / 2));
  for (const [item, level] of y) y.set(item, level - top);
  return y;
}

/** Puts the items of a layer as near to their wishes as their order and heights allow. */
function stack(layer, wish, y, heightOf, gap) {
  const wishes = layer.map(wish);
  let floor = -Infinity;
  layer.forEach((item, index) => {
    const half = heightOf(item) / 2;
    y.set(item, Math.max(wishes[index], floor + half));
    floor = y.get(item) + half + gap;
  });
  // What was pushed down as a whole is moved back by the mean of the push.
  const push = mean(layer.map((item, index) => y.get(item) - wishes[index]), 0);
  for (const item of layer) y.set(item, y.get(item) - push);
}

const mean = (values, otherwise) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : otherwise);
