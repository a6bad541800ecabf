//! A query that names the values in place of the store's type.
use candlewick::StreamsHandle;

fn ask(streams: &StreamsHandle) {
    let _ = streams.store::<i64>("counts");
}

fn main() {
    let _ = ask;
}
