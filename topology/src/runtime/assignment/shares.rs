//! How many tasks of each sub-topology each member should have.
//!
//! A member's ideal share of a sub-topology, and of all tasks, is a fraction; its share is that rounded down or up, both
//! ways at once. Rounding a table so that rows, columns and cells all stay within one always works, since flows through
//! networks of whole capacities are whole: each sub-topology sends what is left after rounding down through members with
//! room. The cheapest such flow, by shortest paths, keeps most tasks where they are.

/// One direction of an edge; its twin lies at the index with the last bit flipped.
struct Edge {
    to: usize,
    room: usize,
    cost: i64,
}

#[derive(Default)]
struct Network {
    edges: Vec<Edge>,
    leaving: Vec<Vec<usize>>,
}

impl Network {
    fn of(nodes: usize) -> Self {
        Self { edges: Vec::new(), leaving: vec![Vec::new(); nodes] }
    }

    fn join(&mut self, from: usize, to: usize, room: usize, cost: i64) -> usize {
        let index = self.edges.len();
        self.edges.push(Edge { to, room, cost });
        self.edges.push(Edge { to: from, room: 0, cost: -cost });
        self.leaving[from].push(index);
        self.leaving[to].push(index + 1);
        index
    }

    /// Sends one unit from the first node to the last along the cheapest path; tells whether there was one.
    fn send(&mut self) -> bool {
        let (source, sink) = (0, self.leaving.len() - 1);
        let mut cost = vec![i64::MAX; self.leaving.len()];
        let mut came_by = vec![usize::MAX; self.leaving.len()];
        cost[source] = 0;
        // Costs may be negative, cycles are not: as many rounds as nodes settle everything.
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for from in 0..self.leaving.len() {
                if cost[from] == i64::MAX {
                    continue;
                }
                for &index in &self.leaving[from] {
                    let edge = &self.edges[index];
                    if edge.room > 0 && cost[from] + edge.cost < cost[edge.to] {
                        cost[edge.to] = cost[from] + edge.cost;
                        came_by[edge.to] = index;
                        is_settled = false;
                    }
                }
            }
        }
        if cost[sink] == i64::MAX {
            return false;
        }
        let mut at = sink;
        while at != source {
            let index = came_by[at];
            self.edges[index].room -= 1;
            self.edges[index ^ 1].room += 1;
            at = self.edges[index ^ 1].to;
        }
        true
    }
}

/// The shares, by sub-topology and member. `sizes` counts each sub-topology's tasks, `held` how many of them each member
/// has now.
pub(super) fn shares(sizes: &[usize], weights: &[usize], held: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let weight: usize = weights.iter().sum();
    let total: usize = sizes.iter().sum();
    // Filling a member up to its rounded-down share of everything comes before any thought of who has what.
    let must = -i64::try_from(total + 1).unwrap_or(i64::MAX / 4);
    let (rows, columns) = (sizes.len(), weights.len());
    let mut network = Network::of(rows + columns + 2);
    let sink = rows + columns + 1;
    let mut shares: Vec<Vec<usize>> = Vec::with_capacity(rows);
    let mut cells = Vec::new();
    for (row, &size) in sizes.iter().enumerate() {
        let floors: Vec<usize> = weights.iter().map(|own| size * own / weight).collect();
        network.join(0, 1 + row, size - floors.iter().sum::<usize>(), 0);
        for (column, own) in weights.iter().enumerate() {
            if !(size * own).is_multiple_of(weight) {
                let keeps = held[row][column] > floors[column];
                let edge = network.join(1 + row, 1 + rows + column, 1, -i64::from(keeps));
                cells.push((row, column, edge));
            }
        }
        shares.push(floors);
    }
    for (column, own) in weights.iter().enumerate() {
        let given: usize = shares.iter().map(|row| row[column]).sum();
        let least = total * own / weight;
        network.join(1 + rows + column, sink, least - given, must);
        let above = usize::from(!(total * own).is_multiple_of(weight));
        network.join(1 + rows + column, sink, above, 0);
    }
    while network.send() {}
    for (row, column, edge) in cells {
        if network.edges[edge].room == 0 {
            shares[row][column] += 1;
        }
    }
    shares
}
