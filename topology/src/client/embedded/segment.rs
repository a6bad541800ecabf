//! One stretch of a partition's batches: a file that only grows, or a list in memory, with a sparse index of offsets and
//! times. Must not know transactions, retention or who reads.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::batch::{BatchHeader, HEADER_LEN, Kind};

/// Bytes between two entries of a segment's index.
const INDEX_INTERVAL: u64 = 32 * 1024;

/// A batch held in memory.
#[derive(Clone, Debug)]
pub(super) struct StoredBatch {
    pub(super) header: BatchHeader,
    pub(super) bytes: Bytes,
}

/// Where a batch begins, and the greatest time before it in the segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexEntry {
    pub(super) offset: i64,
    pub(super) position: u64,
    pub(super) max_time_before: i64,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Backing {
    /// In memory, one entry for each batch.
    Memory(Vec<StoredBatch>),
    /// In a file; opened when it is first needed, and kept open only while it is written.
    File {
        /// The file's path.
        path: PathBuf,
        /// Kept while this is the segment that grows.
        open: Option<Arc<File>>,
    },
}

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// Differs for every segment this process has seen, also when a cleaned one takes a file's place.
    pub(super) id: u64,
    /// The offset its first batch has or would have.
    pub(super) base: i64,
    pub(super) size: u64,
    pub(super) max_time: i64,
    /// Wall time of the first append to it, for `segment.ms`.
    pub(super) begun: Option<i64>,
    /// Whether compaction has already been through it.
    pub(super) is_cleaned: bool,
    pub(super) index: Vec<IndexEntry>,
    pub(super) backing: Backing,
    indexed_to: u64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Segment {
    /// An empty segment; in `folder`, or in memory.
    pub(super) fn new(folder: Option<&Path>, base: i64) -> Self {
        let backing = match folder {
            None => Backing::Memory(Vec::new()),
            Some(folder) => Backing::File { path: folder.join(Self::file_name(base)), open: None },
        };
        Self::over(backing, base)
    }

    /// An empty segment over `backing`.
    pub(super) fn over(backing: Backing, base: i64) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            base,
            size: 0,
            max_time: i64::MIN,
            begun: None,
            is_cleaned: false,
            index: Vec::new(),
            backing,
            indexed_to: 0,
        }
    }

    /// The name of the file that begins at `base`.
    pub(super) fn file_name(base: i64) -> String {
        format!("{base:020}.log")
    }

    /// Notes a batch that lies at the segment's end, and counts it in.
    pub(super) fn note(&mut self, header: &BatchHeader) {
        if self.index.is_empty() || self.size - self.indexed_to >= INDEX_INTERVAL {
            self.indexed_to = self.size;
            let entry =
                IndexEntry { offset: header.base, position: self.size, max_time_before: self.max_time };
            self.index.push(entry);
        }
        self.size += u64::from(header.len);
        if header.kind == Kind::Data {
            self.max_time = self.max_time.max(header.max_time);
        }
    }

    /// Appends a sealed batch. On an error nothing of it remains.
    pub(super) fn append(&mut self, header: BatchHeader, bytes: &Bytes) -> io::Result<()> {
        match &mut self.backing {
            Backing::Memory(list) => list.push(StoredBatch { header, bytes: bytes.clone() }),
            Backing::File { .. } => {
                let file = self.open_for_append()?;
                if let Err(error) = file.write_all_at(bytes, self.size) {
                    file.set_len(self.size)?;
                    return Err(error);
                }
            }
        }
        self.note(&header);
        Ok(())
    }

    /// The file to append to; also what has to be synced.
    pub(super) fn open_for_append(&mut self) -> io::Result<Arc<File>> {
        let Backing::File { path, open } = &mut self.backing else {
            return Err(io::Error::other("a segment in memory has no file"));
        };
        if let Some(file) = open {
            return Ok(Arc::clone(file));
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = Arc::new(file);
        *open = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The file to read from.
    pub(super) fn open_for_read(&self) -> io::Result<Arc<File>> {
        match &self.backing {
            Backing::File { open: Some(file), .. } => Ok(Arc::clone(file)),
            Backing::File { path, open: None } => Ok(Arc::new(File::open(path)?)),
            Backing::Memory(_) => Err(io::Error::other("a segment in memory has no file")),
        }
    }

    /// Closes the file of a segment that grows no more.
    pub(super) fn close(&mut self) {
        if let Backing::File { open, .. } = &mut self.backing {
            *open = None;
        }
    }

    /// Says where the segment's file is after it was renamed.
    pub(super) fn relocate(&mut self, to: PathBuf) {
        if let Backing::File { path, .. } = &mut self.backing {
            *path = to;
        }
    }

    /// The position from which a scan finds `offset`.
    pub(super) fn position_before(&self, offset: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map_or(0, |at| self.index[at].position)
    }

    /// The position from which a scan finds the first record of `time` or later.
    pub(super) fn position_before_time(&self, time: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.max_time_before < time);
        after.checked_sub(1).map_or(0, |at| self.index[at].position)
    }

    /// All batches from `position` on (in memory: all) of one segment, in steps of at most `chunk` bytes.
    pub(super) fn reader(&self, position: u64) -> io::Result<SegmentReader> {
        let source = match &self.backing {
            Backing::Memory(list) => Source::List(list.clone().into_iter()),
            Backing::File { .. } => Source::File(FileReader::new(self.open_for_read()?, position, self.size)),
        };
        Ok(SegmentReader { source })
    }
}

/// Iterates over a segment's batches, checksums verified; holds no lock.
pub(super) struct SegmentReader {
    source: Source,
}

enum Source {
    List(std::vec::IntoIter<StoredBatch>),
    File(FileReader),
}

impl SegmentReader {
    /// The next batch, or `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<StoredBatch>> {
        match &mut self.source {
            Source::List(list) => Ok(list.next()),
            Source::File(reader) => reader.next(),
        }
    }
}

/// Reads batches of a file through a window of the page cache.
#[derive(Debug)]
pub(super) struct FileReader {
    file: Arc<File>,
    window: Bytes,
    position: u64,
    end: u64,
}

/// Bytes read at once.
const CHUNK: u64 = 256 * 1024;

impl FileReader {
    /// A reader of `file` from `position` to `end`.
    pub(super) fn new(file: Arc<File>, position: u64, end: u64) -> Self {
        Self { file, window: Bytes::new(), position, end }
    }

    /// The same reader, now that the file has grown to `end`.
    pub(super) fn extended_to(mut self, end: u64) -> Self {
        self.end = end;
        self
    }

    /// Where the next batch begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The header at the reader's position; `None` where there is no sound one.
    pub(super) fn peek(&mut self) -> io::Result<Option<BatchHeader>> {
        self.ensure(HEADER_LEN as u64)?;
        Ok(BatchHeader::parse(&self.window))
    }

    /// Goes past a batch of this length without reading the rest of it.
    pub(super) fn skip(&mut self, len: u32) {
        self.position += u64::from(len);
        let len = (len as usize).min(self.window.len());
        self.window = self.window.slice(len..);
    }

    /// The next batch if it is whole and sound, `None` at the end, an error where it is damaged.
    pub(super) fn next(&mut self) -> io::Result<Option<StoredBatch>> {
        if self.position >= self.end {
            return Ok(None);
        }
        match self.try_next()? {
            Some(batch) => Ok(Some(batch)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a batch at byte {} does not match its checksum; restore the segment from a copy, or delete the \
                     topic and fill it again",
                    self.position
                ),
            )),
        }
    }

    /// As [`FileReader::next`], with `None` for a damaged batch as well as for the end.
    pub(super) fn try_next(&mut self) -> io::Result<Option<StoredBatch>> {
        let Some(header) = self.peek()? else { return Ok(None) };
        if u64::from(header.len) > self.end - self.position {
            return Ok(None);
        }
        self.ensure(u64::from(header.len))?;
        let len = header.len as usize;
        if self.window.len() < len || !header.is_sound(&self.window[..len]) {
            return Ok(None);
        }
        let bytes = self.window.slice(..len);
        self.skip(header.len);
        Ok(Some(StoredBatch { header, bytes }))
    }

    fn ensure(&mut self, len: u64) -> io::Result<()> {
        if self.window.len() as u64 >= len {
            return Ok(());
        }
        let want = len.max(CHUNK).min(self.end.saturating_sub(self.position));
        let mut buffer = vec![0; usize::try_from(want).expect("a batch fits into memory")];
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], self.position + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.window = Bytes::from(buffer);
        Ok(())
    }
}
