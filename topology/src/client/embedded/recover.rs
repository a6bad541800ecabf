//! Opening what a process left behind: scans segment files, cuts a torn tail, and refuses a log that is damaged in its
//! middle. Must not know who writes or reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_LEN, MAGIC};
use super::partition::PartitionState;
use super::segment::{Backing, FileReader, Segment, StoredBatch};

/// How a file that may end in an unfinished write is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// One past the last offset known to have been on disk.
    pub(super) synced_to: i64,
    /// Whether nothing follows this file.
    pub(super) is_newest: bool,
}

/// Feeds every sound batch of a file to `each`. What follows the last of them is cut off as an unfinished write, unless
/// it must once have been whole. Answers whether something was cut off.
pub(super) fn scan(
    file: &Arc<File>,
    expected: Expected,
    mut each: impl FnMut(&StoredBatch) -> io::Result<()>,
) -> io::Result<bool> {
    let size = file.metadata()?.len();
    let mut reader = FileReader::new(Arc::clone(file), 0, size);
    let mut next = 0;
    while let Some(batch) = reader.try_next()? {
        next = batch.header.last() + 1;
        each(&batch)?;
    }
    let position = reader.position();
    if position == size {
        return Ok(false);
    }
    let is_unfinished = next >= expected.synced_to
        || (expected.is_newest && !has_sound_batch_after(file, position, size, next)?);
    if !is_unfinished {
        return Err(damaged(position));
    }
    tracing::warn!(position, size, offset = next, "an unfinished write at the end of a segment is cut off");
    file.set_len(position)?;
    Ok(true)
}

/// As [`scan`], but reads only headers: for segments that were complete long ago. Records are checked when they are read.
pub(super) fn scan_headers(file: &Arc<File>, mut each: impl FnMut(&BatchHeader)) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut reader = FileReader::new(Arc::clone(file), 0, size);
    while reader.position() < size {
        match reader.peek()? {
            Some(header) if u64::from(header.len) <= size - reader.position() => {
                each(&header);
                reader.skip(header.len);
            }
            _ => return Err(damaged(reader.position())),
        }
    }
    Ok(())
}

fn damaged(position: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "the batch at byte {position} is damaged although later ones are whole, so this is not an unfinished \
             write; restore the file from a copy, or delete the topic's folder and fill the topic again"
        ),
    )
}

fn has_sound_batch_after(file: &File, position: u64, size: u64, next: i64) -> io::Result<bool> {
    let mut rest = vec![0; usize::try_from(size - position).map_err(io::Error::other)?];
    file.read_exact_at(&mut rest, position)?;
    let magic = MAGIC.to_le_bytes();
    Ok((1..rest.len().saturating_sub(HEADER_LEN - 1)).any(|at| {
        rest[at..].starts_with(&magic)
            && BatchHeader::parse(&rest[at..]).is_some_and(|header| {
                let batch = rest.get(at..at + header.len as usize);
                header.base > next && batch.is_some_and(|batch| header.is_sound(batch))
            })
    }))
}

/// Opens the segments of one partition: its state without the topic's configuration.
pub(super) fn open_partition(folder: &Path, start: i64, synced_to: i64) -> io::Result<PartitionState> {
    let mut bases = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.strip_suffix(".log").and_then(|base| base.parse::<i64>().ok()) {
            Some(base) => {
                bases.insert(base, path);
            }
            None if name.ends_with(".draft") => std::fs::remove_file(&path)?,
            None => {}
        }
    }
    let mut state = PartitionState::empty(start, Vec::new());
    let following: Vec<i64> = bases.keys().skip(1).copied().collect();
    let mut was_cut = false;
    for (at, (base, path)) in bases.into_iter().enumerate() {
        let is_merged = base < state.next && !state.segments.is_empty();
        if is_merged || was_cut {
            // Merged into the one before by a compaction that was stopped here; or written after what was cut off.
            std::fs::remove_file(&path)?;
            continue;
        }
        state.next = state.next.max(base);
        was_cut = open_segment(&mut state, base, &path, following.get(at).copied(), synced_to)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    if state.segments.is_empty() {
        state.next = start;
        state.segments.push(Segment::new(Some(folder), start));
    }
    let first = state.segments.first().map_or(start, |segment| segment.base);
    state.start = start.max(first).min(state.next);
    Ok(state)
}

fn open_segment(
    state: &mut PartitionState,
    base: i64,
    path: &Path,
    following: Option<i64>,
    synced_to: i64,
) -> io::Result<bool> {
    let mut segment = Segment::over(Backing::File { path: path.to_path_buf(), open: None }, base);
    let mut was_cut = false;
    if following.is_none_or(|next_base| next_base > synced_to) {
        let file = segment.open_for_append()?;
        let expected = Expected { synced_to, is_newest: following.is_none() };
        was_cut = scan(&file, expected, |batch| {
            state.account(&batch.header);
            segment.note(&batch.header);
            Ok(())
        })?;
    } else {
        let file = segment.open_for_read()?;
        scan_headers(&file, |header| {
            state.account(header);
            segment.note(header);
        })?;
    }
    segment.close();
    state.segments.push(segment);
    Ok(was_cut)
}
