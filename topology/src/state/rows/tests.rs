//! The table of rows against an ordered map: random rows of every grouping, points, groups and ranges.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::{Grouping, RowTable, is_reversed};

type Model = BTreeMap<Vec<u8>, u32>;

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>, u32),
    Remove(Vec<u8>),
    Get(Vec<u8>),
    OfKey(Vec<u8>, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Range(Bound<Vec<u8>>, Bound<Vec<u8>>),
    All,
    Take,
    Clear,
}

/// Few bytes of few values: keys that are the beginning of others, and rows that come again; now and then a long one.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => prop::collection::vec(0u8..3, 0..7),
        1 => prop::collection::vec(0u8..2, 28..40),
    ]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), bytes().prop_map(Bound::Included), bytes().prop_map(Bound::Excluded),]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => (bytes(), any::<u32>()).prop_map(|(row, value)| Op::Insert(row, value)),
        12 => bytes().prop_map(Op::Remove),
        8 => bytes().prop_map(Op::Get),
        12 => (bytes(), bound(), bound()).prop_map(|(key, from, to)| Op::OfKey(key, from, to)),
        4 => (bound(), bound()).prop_map(|(from, to)| Op::Range(from, to)),
        4 => Just(Op::All),
        1 => Just(Op::Take),
        1 => Just(Op::Clear),
    ]
}

fn slices<'b>(from: &'b Bound<Vec<u8>>, to: &'b Bound<Vec<u8>>) -> (Bound<&'b [u8]>, Bound<&'b [u8]>) {
    (from.as_ref().map(|bytes| &bytes[..]), to.as_ref().map(|bytes| &bytes[..]))
}

fn holds((from, to): (Bound<&[u8]>, Bound<&[u8]>), bytes: &[u8]) -> bool {
    let behind = match from {
        Bound::Unbounded => true,
        Bound::Included(from) => bytes >= from,
        Bound::Excluded(from) => bytes > from,
    };
    let before = match to {
        Bound::Unbounded => true,
        Bound::Included(to) => bytes <= to,
        Bound::Excluded(to) => bytes < to,
    };
    behind && before
}

fn pairs<'t>(rows: impl Iterator<Item = (&'t super::RowBytes, &'t u32)>) -> Vec<(Vec<u8>, u32)> {
    rows.map(|(row, value)| (row.to_vec(), *value)).collect()
}

fn apply(table: &mut RowTable<u32>, model: &mut Model, grouping: Grouping, op: &Op) {
    match op {
        Op::Insert(row, value) => {
            assert_eq!(table.insert(row, *value), model.insert(row.clone(), *value));
        }
        Op::Remove(row) => assert_eq!(table.remove(row), model.remove(row)),
        Op::Get(row) => assert_eq!(table.get(row), model.get(row)),
        Op::OfKey(key, from, to) => {
            let bounds = slices(from, to);
            let mut expected: Vec<(Vec<u8>, u32)> = model
                .iter()
                .filter(|(row, _)| grouping != Grouping::Single && grouping.split(row) == key.len())
                .filter(|(row, _)| row.starts_with(key) && holds(bounds, &row[key.len()..]))
                .map(|(row, value)| (row[key.len()..].to_vec(), *value))
                .collect();
            assert_eq!(pairs(table.of_key(key, bounds)), expected);
            expected.reverse();
            assert_eq!(pairs(table.of_key(key, bounds).rev()), expected);
        }
        Op::Range(from, to) => {
            let bounds = slices(from, to);
            let rows = model.iter().filter(|(row, _)| !is_reversed(bounds) && holds(bounds, row));
            let mut expected: Vec<_> = rows.map(|(row, value)| (row.clone(), *value)).collect();
            assert_eq!(pairs(table.range(bounds)), expected);
            expected.reverse();
            assert_eq!(pairs(table.range(bounds).rev()), expected);
        }
        Op::All => {
            let mut all = Model::new();
            let visited = table.for_each(|row, value| {
                assert_eq!(all.insert(row.to_vec(), *value), None);
                Ok::<(), ()>(())
            });
            visited.expect("never fails");
            assert_eq!(all, *model);
            let mut in_order = Vec::new();
            let visited = table.for_each_in_order(|row, value| {
                in_order.push((row.to_vec(), *value));
                Ok::<(), ()>(())
            });
            visited.expect("never fails");
            assert_eq!(in_order, model.iter().map(|(row, value)| (row.clone(), *value)).collect::<Vec<_>>());
        }
        Op::Take => {
            let mut all = Model::new();
            table.take_each(|row, value| assert_eq!(all.insert(row.to_vec(), value), None));
            assert_eq!(all, std::mem::take(model));
        }
        Op::Clear => {
            table.clear();
            model.clear();
        }
    }
    assert_eq!(table.len(), model.len());
}

proptest! {
    #[test]
    fn a_table_of_rows_answers_as_an_ordered_map(
        grouping in prop_oneof![
            Just(Grouping::Single),
            Just(Grouping::Suffix(0)),
            Just(Grouping::Suffix(3)),
            Just(Grouping::LengthFirst),
        ],
        ops in prop::collection::vec(op(), 1..400),
    ) {
        let (mut table, mut model) = (RowTable::new(grouping), Model::new());
        for op in &ops {
            apply(&mut table, &mut model, grouping, op);
        }
    }
}

#[test]
fn many_rows_of_one_key_stay_in_order_whatever_order_they_come_in() {
    let (mut table, mut model) = (RowTable::new(Grouping::Suffix(2)), Model::new());
    for step in 0u32..1_000 {
        let number = (step * 377 % 1_000) as u16;
        let row = [b"key", &number.to_be_bytes()[..]].concat();
        assert_eq!(table.insert(&row, step), model.insert(row, step));
    }
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let rests: Vec<Vec<u8>> = table.of_key(b"key", whole).map(|(rest, _)| rest.to_vec()).collect();
    assert_eq!(rests, model.keys().map(|row| row[3..].to_vec()).collect::<Vec<_>>());
    for (row, value) in &model {
        assert_eq!(table.remove(row), Some(*value));
    }
    assert_eq!((table.len(), table.of_key(b"key", whole).count()), (0, 0));
}

#[test]
fn an_order_that_nobody_asks_for_any_more_is_dropped_and_made_again() {
    let mut table = RowTable::new(Grouping::Single);
    let whole = (Bound::Unbounded, Bound::Unbounded);
    (0..100u8).for_each(|row| assert_eq!(table.insert(&[row], row), None));
    assert!(table.order.get().is_none());
    assert_eq!(table.range(whole).count(), 100);
    (100..150u8).for_each(|row| assert_eq!(table.insert(&[row], row), None));
    assert!(table.order.get().is_some());
    (0..250u8).for_each(|row| assert_eq!(table.insert(&[row, 0], row), None));
    assert!(table.order.get().is_none());
    assert_eq!(table.range(whole).count(), 400);
}
