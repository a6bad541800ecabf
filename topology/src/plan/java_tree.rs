//! Java's tree set while its order changes below it. Kafka Streams keeps neighbours in one whose order goes by numbers that
//! grow, so that where a name comes to stand depends on the tree's own shape: it is built here as Java builds it. Knows
//! nothing of what is kept.

use std::cmp::Ordering;

/// A set that only grows.
pub(super) struct JavaTreeSet<T> {
    leaves: Vec<Leaf<T>>,
    root: Option<usize>,
}

struct Leaf<T> {
    item: T,
    is_red: bool,
    parent: Option<usize>,
    /// What is less, and what is greater.
    children: [Option<usize>; 2],
}

impl<T> Default for JavaTreeSet<T> {
    fn default() -> Self {
        Self { leaves: Vec::new(), root: None }
    }
}

impl<T: Copy> JavaTreeSet<T> {
    /// Puts an item in, unless one on its way down is equal. The order is that of this moment.
    pub(super) fn insert(&mut self, item: T, compare: impl Fn(T, T) -> Ordering) {
        let (mut parent, mut at, mut side) = (None, self.root, 0);
        while let Some(leaf) = at {
            side = match compare(item, self.leaves[leaf].item) {
                Ordering::Less => 0,
                Ordering::Equal => return,
                Ordering::Greater => 1,
            };
            (parent, at) = (at, self.leaves[leaf].children[side]);
        }
        let new = self.leaves.len();
        self.leaves.push(Leaf { item, is_red: true, parent, children: [None, None] });
        match parent {
            Some(parent) => self.leaves[parent].children[side] = Some(new),
            None => self.root = Some(new),
        }
        self.balance(new);
    }

    /// All items, from the left to the right.
    pub(super) fn items(&self) -> Vec<T> {
        let (mut items, mut above, mut at) = (Vec::new(), Vec::new(), self.root);
        loop {
            while let Some(leaf) = at {
                above.push(leaf);
                at = self.leaves[leaf].children[0];
            }
            let Some(leaf) = above.pop() else { return items };
            items.push(self.leaves[leaf].item);
            at = self.leaves[leaf].children[1];
        }
    }

    /// Colours and turns until no red one stands below a red one: a red-black tree's own rule.
    fn balance(&mut self, mut at: usize) {
        while let Some((parent, above)) = self.red_parent(at) {
            let side = usize::from(self.leaves[above].children[1] == Some(parent));
            let beside = self.leaves[above].children[1 - side];
            if let Some(beside) = beside.filter(|&beside| self.leaves[beside].is_red) {
                self.leaves[parent].is_red = false;
                self.leaves[beside].is_red = false;
                self.leaves[above].is_red = true;
                at = above;
                continue;
            }
            let is_inner = self.leaves[parent].children[1 - side] == Some(at);
            let upper = if is_inner { at } else { parent };
            if is_inner {
                self.turn(parent, side);
            }
            self.leaves[upper].is_red = false;
            self.leaves[above].is_red = true;
            self.turn(above, 1 - side);
            break;
        }
        if let Some(root) = self.root {
            self.leaves[root].is_red = false;
        }
    }

    /// The parent of a leaf, where it is red, and what stands above that.
    fn red_parent(&self, at: usize) -> Option<(usize, usize)> {
        let parent = self.leaves[at].parent.filter(|&parent| self.leaves[parent].is_red)?;
        Some((parent, self.leaves[parent].parent?))
    }

    /// Lets a leaf's child of the other side take its place; it goes down on `side`.
    fn turn(&mut self, leaf: usize, side: usize) {
        let Some(up) = self.leaves[leaf].children[1 - side] else { return };
        let moved = self.leaves[up].children[side];
        self.leaves[leaf].children[1 - side] = moved;
        if let Some(moved) = moved {
            self.leaves[moved].parent = Some(leaf);
        }
        let above = self.leaves[leaf].parent;
        match above {
            Some(above) => {
                let place = usize::from(self.leaves[above].children[1] == Some(leaf));
                self.leaves[above].children[place] = Some(up);
            }
            None => self.root = Some(up),
        }
        self.leaves[up].parent = above;
        self.leaves[up].children[side] = Some(leaf);
        self.leaves[leaf].parent = Some(up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_their_order_whatever_order_they_went_in() {
        for step in [1, 7, 13, 29, 61] {
            let mut set = JavaTreeSet::default();
            (0..101u32).for_each(|n| set.insert(n * step % 101, |a, b| a.cmp(&b)));
            assert_eq!(set.items(), (0..101).collect::<Vec<_>>(), "step {step}");
        }
    }

    #[test]
    fn an_item_is_compared_with_those_on_its_way_down_alone() {
        let mut set = JavaTreeSet::default();
        set.insert("m", |a, b| a.cmp(b));
        set.insert("n", |a, b| a.cmp(b));
        // By now `n` would come first, but `m` is the root.
        let with_n_first = |a: &str, b: &str| (a != "n").cmp(&(b != "n")).then(a.cmp(b));
        set.insert("f", with_n_first);
        assert_eq!(set.items(), ["f", "m", "n"]);
    }
}
