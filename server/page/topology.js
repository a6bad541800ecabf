// The drawing of the topology: one row for each sub-topology, its topics at both ends, a rate on every node.
// Owns shapes and words; places come from layout.js. Must not know the rest of the page.

import { element, setText, svg } from './dom.js';
import { rate } from './format.js';
import { layout } from './layout.js';

const WIDTH = 156;
const COLUMN = 200;
const HEIGHT = 46;
const STORE_HEIGHT = 22;
const PADDING = 12;
const SHRINK_MIN = 0.7;

/** Kafka Streams' words for generated names, as people say them. */
const WORDS = {
  SOURCE: 'Source', SINK: 'Sink', FILTER: 'Filter', MAP: 'Map', MAPVALUES: 'Map values', FLATMAP: 'Flat map',
  FLATMAPVALUES: 'Flat map values', 'KEY-SELECT': 'Select key', PEEK: 'Peek', FOREACH: 'For each', MERGE: 'Merge',
  BRANCH: 'Split', BRANCHCHILD: 'Branch', AGGREGATE: 'Aggregate', REDUCE: 'Reduce', COUNT: 'Count', JOIN: 'Join',
  LEFTJOIN: 'Left join', PROCESSOR: 'Process', PROCESSVALUES: 'Process values', SUPPRESS: 'Suppress', TOSTREAM: 'To stream',
  TOTABLE: 'To table', TRANSFORM: 'Transform', TRANSFORMVALUES: 'Transform values', PRINTER: 'Print',
};

/** A node's name for people, and the number that makes it unique. */
export function friendly(name) {
  const parts = /^(KSTREAM|KTABLE)-(.+?)-(\d{10})(.*)$/.exec(name);
  if (!parts) return [name, ''];
  const [, kind, word, number] = parts;
  const table = kind === 'KTABLE' && !word.startsWith('TO') ? ' (table)' : '';
  return [(WORDS[word] ?? word.toLowerCase().replaceAll('-', ' ')) + table, `#${Number(number)}`];
}

/** A generated store's name for people; a given name as it is. */
function storeWords(name) {
  const parts = /^(?:KSTREAM|KTABLE)-.+-STORE-(\d{10})$/.exec(name);
  return parts ? `State store #${Number(parts[1])}` : name;
}

export class TopologyView {
  #box;
  #rates = new Map();
  #edges = [];

  constructor(box) {
    this.#box = box;
  }

  /** Asks the server for the topology, draws it and returns it. */
  async load() {
    const response = await fetch('/topology', { headers: { accept: 'application/json' } });
    if (!response.ok) throw new Error('The topology could not be read.');
    const topology = await response.json();
    this.draw(topology);
    return topology;
  }

  draw(topology) {
    this.#rates.clear();
    this.#edges = [];
    const parts = subTopologies(topology);
    if (!parts.length) {
      this.#box.replaceChildren(element('p', { class: 'waiting' }, 'The topology is empty.'));
      return;
    }
    this.#box.replaceChildren(...parts.map((part) => this.#row(part)));
  }

  /** Writes new rates into the drawing. */
  update(rates) {
    for (const [name, places] of this.#rates) {
      const value = rates.get(name) ?? null;
      for (const place of places) setText(place, value === null ? '' : `${rate(value)}/s`);
    }
    for (const { line, from, to } of this.#edges) {
      const value = rates.get(to) ?? rates.get(from) ?? 0;
      const flows = value > 0;
      if (line.classList.contains('flows') !== flows) line.classList.toggle('flows', flows);
      const width = flows ? Math.min(4, 1.25 + Math.log10(1 + value) * 0.55).toFixed(2) : '1.25';
      if (line.getAttribute('stroke-width') !== width) line.setAttribute('stroke-width', width);
    }
  }

  #row({ number, nodes, edges }) {
    const byName = new Map(nodes.map((node) => [node.name, node]));
    const height = (name) => HEIGHT + byName.get(name).stores.length * STORE_HEIGHT;
    const placed = layout([...byName.keys()], edges, height, { columnWidth: COLUMN, gap: 16 });
    const width = (placed.columns - 1) * COLUMN + WIDTH + 2 * PADDING;
    const tall = placed.height + 2 * PADDING;
    const drawing = svg('svg', {
      viewBox: `0 0 ${width} ${tall}`, role: 'img',
      'aria-label': `Sub-topology ${number}: ${nodes.length} nodes and topics, from ${nodes.filter((node) => node.kind === 'topic').map((node) => node.name).join(', ')}`,
    });
    // It shrinks with the page as far as it can be read, and then scrolls.
    drawing.style.maxWidth = `${width}px`;
    drawing.style.minWidth = `${Math.round(width * SHRINK_MIN)}px`;
    for (const route of placed.routes) drawing.append(this.#edge(route, placed.places));
    for (const node of nodes) drawing.append(this.#node(node, placed.places.get(node.name), height(node.name)));
    const scroll = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Drawing of sub-topology ${number}` }, drawing);
    return element('figure', {}, element('figcaption', {}, `Sub-topology ${number}`), scroll);
  }

  #edge({ from, to, through }, places) {
    const start = places.get(from);
    const end = places.get(to);
    const points = [
      [start.x + WIDTH, start.y], ...through.flatMap(({ x, y }) => [[x, y], [x + WIDTH, y]]), [end.x, end.y],
    ].map(([x, y]) => [x + PADDING, y + PADDING]);
    let path = `M${points[0]}`;
    for (let at = 1; at < points.length; at += 1) {
      const [[fromX, fromY], [toX, toY]] = [points[at - 1], points[at]];
      const bend = (toX - fromX) / 2;
      path += `C${fromX + bend},${fromY} ${toX - bend},${toY} ${toX},${toY}`;
    }
    const line = svg('path', { d: path, class: 'edge', 'stroke-width': '1.25' });
    this.#edges.push({ line, from, to });
    return line;
  }

  #node(node, { x, y }, height) {
    const [words, number] = node.kind === 'topic' ? [node.name, ''] : friendly(node.name);
    const group = svg('g', { class: `node ${node.kind}`, transform: `translate(${x + PADDING},${y + PADDING - height / 2})` });
    group.append(svg('title', {}, [node.name, ...node.stores.map((store) => `store ${store}`)].join('\n')));
    group.append(svg('rect', { class: 'box', width: WIDTH, height, rx: node.kind === 'topic' ? HEIGHT / 2 : 9 }));
    const middle = node.kind === 'topic' ? { x: WIDTH / 2, 'text-anchor': 'middle' } : { x: 12 };
    group.append(svg('text', { ...middle, y: node.kind === 'topic' ? 28 : 20, class: 'name' }, shorten(words, 19)));
    if (node.kind !== 'topic') {
      const shown = svg('text', { x: WIDTH - 12, y: 37, class: 'rate', 'text-anchor': 'end' });
      group.append(svg('text', { x: 12, y: 37, class: 'number' }, number || node.kind), shown);
      this.#rates.set(node.name, [...(this.#rates.get(node.name) ?? []), shown]);
    }
    node.stores.forEach((store, index) => {
      const top = HEIGHT + index * STORE_HEIGHT;
      group.append(
        svg('path', { class: 'store', d: `M12 ${top + 2.5}v8a5 2.5 0 0 0 10 0v-8a5 2.5 0 0 0-10 0a5 2.5 0 0 0 10 0` }),
        svg('text', { x: 28, y: top + 10, class: 'store-name' }, shorten(storeWords(store), 18)),
      );
    });
    return group;
  }
}

/** The nodes of each sub-topology with the topics they read and write, and the edges among them. */
function subTopologies({ nodes, edges }) {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const numbers = [...new Set(nodes.map((node) => node.sub_topology).filter((number) => number !== null))].sort((a, b) => a - b);
  return numbers.map((number) => {
    const isOwn = (name) => byName.get(name)?.sub_topology === number;
    const own = edges.filter(([from, to]) => isOwn(from) || isOwn(to));
    const names = new Set([...own.flat(), ...nodes.filter((node) => isOwn(node.name)).map((node) => node.name)]);
    // A topic without an entry of its own is still drawn.
    const topic = (name) => ({ name, kind: 'topic', sub_topology: null, stores: [] });
    return { number, nodes: [...names].map((name) => byName.get(name) ?? topic(name)), edges: own };
  });
}

const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 8)}…${text.slice(-7)}` : text);
