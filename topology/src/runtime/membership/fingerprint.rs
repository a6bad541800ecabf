//! A short name for what a topology is, so that instances can see whether theirs is the same.

use crate::plan::Topology;

/// Equal for equal topologies over equal partition counts: a checksum of the description and of the tasks.
pub(crate) fn fingerprint(topology: &Topology, tasks: &[i32]) -> String {
    let text = topology.describe();
    let counts: Vec<u8> = tasks.iter().flat_map(|count| count.to_be_bytes()).collect();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(text.as_bytes()), &counts);
    format!("{checksum:08x}-{:x}", text.len())
}
