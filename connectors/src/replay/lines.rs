//! Lines of a file, gzip or plain, without a copy for each line and in constant memory. Owns reading, unpacking and
//! counting bytes; must not know what a line means.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

/// A line longer than this is refused: it is not a trade, and memory stays bounded.
pub(super) const LINE_BYTES_MAX: usize = 4 << 20;

const BUFFER_BYTES: usize = 128 << 10;

/// What stood in the way of the next line.
#[derive(Debug)]
pub(super) enum LineError {
    /// The gzip stream ends before its end.
    Truncated,
    /// A line exceeds [`LINE_BYTES_MAX`].
    TooLong,
    /// The file cannot be read, or its gzip stream is damaged.
    Io(io::Error),
}

/// Reads lines. After an error other than `TooLong` it is at its end.
pub(super) struct Lines {
    input: Box<dyn Read + Send>,
    gzip: bool,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    number: u64,
    read: Arc<AtomicU64>,
    total: u64,
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Lines {
    /// Opens a file; gzip is recognised by its first two bytes, not by its name.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(2);
        File::open(path)?.take(2).read_to_end(&mut magic)?;
        let file = File::open(path)?;
        let total = file.metadata()?.len();
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { file, read: Arc::clone(&read) };
        let gzip = magic == [0x1f, 0x8b];
        let input: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, counted)))
        } else {
            Box::new(counted)
        };
        let buffer = vec![0; BUFFER_BYTES];
        Ok(Self { input, gzip, buffer, start: 0, end: 0, ended: false, number: 0, read, total })
    }

    /// Bytes of the file read so far, and its length: for a progress bar.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.total)
    }

    /// The number of the line returned last, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end, or `None` behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        let mut searched = 0;
        loop {
            let held = &self.buffer[self.start..self.end];
            if let Some(found) = memchr::memchr(b'\n', &held[searched..]) {
                let len = searched + found;
                let line = self.start..self.start + len;
                self.start += len + 1;
                self.number += 1;
                return Ok(Some(trim_return(&self.buffer[line])));
            }
            searched = held.len();
            if self.ended {
                return Ok(self.last_line());
            }
            if searched >= LINE_BYTES_MAX {
                self.skip_line()?;
                return Err(LineError::TooLong);
            }
            self.fill()?;
        }
    }

    fn last_line(&mut self) -> Option<&[u8]> {
        if self.start == self.end {
            return None;
        }
        let line = self.start..self.end;
        self.start = self.end;
        self.number += 1;
        Some(trim_return(&self.buffer[line]))
    }

    /// Drops the rest of a line that is too long.
    fn skip_line(&mut self) -> Result<(), LineError> {
        self.number += 1;
        loop {
            self.start = 0;
            self.end = 0;
            self.fill()?;
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[..self.end]) {
                self.start = found + 1;
                return Ok(());
            }
            if self.ended {
                self.end = 0;
                return Ok(());
            }
        }
    }

    fn fill(&mut self) -> Result<(), LineError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(error)),
            }
            return Ok(());
        }
    }

    /// What is held is the beginning of a line whose rest is lost: half a number must not be taken for a whole one.
    fn broken(&mut self, error: io::Error) -> LineError {
        self.ended = true;
        self.number += 1;
        self.start = self.end;
        if self.gzip && error.kind() == ErrorKind::UnexpectedEof {
            LineError::Truncated
        } else {
            LineError::Io(error)
        }
    }
}

fn trim_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    fn all(lines: &mut Lines) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            found.push(String::from_utf8(line.to_vec()).expect("text"));
        }
        found
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn lines_end_with_newline_return_or_the_file() {
        let file = file(b"a\r\nb\n\nlast");
        let mut lines = Lines::open(file.path()).expect("opens");
        assert_eq!(all(&mut lines), ["a", "b", "", "last"]);
        assert_eq!((lines.number(), lines.progress()), (4, (10, 10)));
    }

    #[test]
    fn many_lines_and_several_gzip_members_are_one_stream() {
        let text: Vec<String> = (0..100_000).map(|n| format!("line {n}")).collect();
        let (one, two) = text.split_at(41_234);
        let mut bytes = gzip((one.join("\n") + "\n").as_bytes());
        bytes.extend(gzip(two.join("\n").as_bytes()));
        let file = file(&bytes);
        assert_eq!(all(&mut Lines::open(file.path()).expect("opens")), text);
    }

    #[test]
    fn truncated_gzip_is_told_and_its_half_line_is_never_given() {
        let text: String = (0..50_000).map(|n| format!("{n},{}\n", n * 7919 % 104_729)).collect();
        let whole = gzip(text.as_bytes());
        let file = file(&whole[..whole.len() / 2]);
        let mut lines = Lines::open(file.path()).expect("opens");
        let mut count = 0;
        let error = loop {
            match lines.next() {
                Ok(Some(line)) => {
                    let line = std::str::from_utf8(line).expect("text").to_string();
                    assert_eq!(line, format!("{count},{}", count * 7919 % 104_729));
                    count += 1;
                }
                Ok(None) => panic!("the end was not reached"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, LineError::Truncated), "{error:?}");
        assert_eq!(lines.number(), count + 1);
        assert!(lines.next().expect("ended").is_none());
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused_and_the_next_one_is_read() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX * 2 + 3];
        bytes.extend_from_slice(b"\nnext\n");
        let file = file(&bytes);
        let mut lines = Lines::open(file.path()).expect("opens");
        assert!(matches!(lines.next(), Err(LineError::TooLong)));
        assert_eq!(lines.next().expect("readable"), Some(&b"next"[..]));
        assert_eq!(lines.number(), 2);
    }
}
