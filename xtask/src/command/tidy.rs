//! `cargo xtask tidy`: every rule of the house that can be read from files, in under a second.

use std::io;

use xtask::house::{Violation, files, manifests, report, rooms, tidy};

/// Prints what is broken; true when nothing is.
pub(crate) fn run(_: &[String]) -> io::Result<bool> {
    let files = files::read_all(&super::root()?)?;
    let mut broken: Vec<Violation> = tidy::check(&files);
    broken.extend(rooms::check(&files));
    broken.extend(manifests::check(&files));
    print!("{}", report(&broken));
    println!("tidy: {} files read, {} rules broken", files.len(), broken.len());
    Ok(broken.is_empty())
}
