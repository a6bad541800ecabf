//! `cargo xtask lines`: how much Rust each room holds. Plain counts of lines, blank ones and comments included.

use std::collections::BTreeMap;
use std::io;

use xtask::house::files;
use xtask::house::source::Source;

/// Prints the table.
pub(crate) fn run(_: &[String]) -> io::Result<bool> {
    let mut rooms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in files::read_all(&super::root()?)?.iter().filter(|file| file.path.ends_with(".rs")) {
        let source = Source::new(&file.path, &file.text);
        let all = source.code.lines().count();
        let is_test = file.path.starts_with("tests/") || file.path.contains("/tests");
        let product = if is_test { 0 } else { source.lines_without_tests() };
        let room = file.path.split('/').next().unwrap_or_default().to_owned();
        let counts = rooms.entry(room).or_default();
        *counts = (counts.0 + product, counts.1 + all - product);
    }
    println!("{:<12} {:>8} {:>8}", "room", "product", "tests");
    for (room, (product, tests)) in &rooms {
        println!("{room:<12} {product:>8} {tests:>8}");
    }
    let (product, tests) = rooms.values().fold((0, 0), |sum, room| (sum.0 + room.0, sum.1 + room.1));
    println!("{:<12} {product:>8} {tests:>8}", "all");
    Ok(true)
}
