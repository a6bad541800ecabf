//! The decoders of the runtime's own records and settings, opened to the fuzz targets. Must not know what is sent to them.

use super::config::StreamsConfig;
use super::membership::View;
use super::offset_metadata::OffsetMetadata;

/// Records of the control topic, as an instance takes them in: each a byte with the key's length, one with the value's,
/// and both.
pub fn control(bytes: &[u8]) {
    let mut view = View::default();
    let mut left = bytes;
    while let Some(([key, value], rest)) = left.split_first_chunk::<2>() {
        let (key, rest) = rest.split_at(rest.len().min(usize::from(*key)));
        // Values are longer than keys.
        let (value, behind) = rest.split_at(rest.len().min(usize::from(*value) * 4));
        view.take(key, (!value.is_empty()).then_some(value));
        left = behind;
    }
}

/// What stands beside a committed offset.
pub fn offset_metadata(bytes: &[u8]) {
    let _ = OffsetMetadata::decode(&String::from_utf8_lossy(bytes));
}

/// A file of settings.
pub fn settings(bytes: &[u8]) {
    let _ = StreamsConfig::parse("fuzz", &String::from_utf8_lossy(bytes));
}
