//! The decoders of repartition and changelog topics that the DSL makes, opened to the fuzz targets. Must not know what is
//! sent to them.

use std::sync::Arc;

use super::change::ChangeSerde;
use super::subscription::{AnswerSerde, CombinedSerde, SubscriptionSerde};
use super::{SessionWindowedSerde, WindowedSerde};
use crate::serde::{Serde, StringSerde};

/// Changes of tables, subscriptions and answers of joins by foreign key, and windowed keys.
pub fn topics(bytes: &[u8]) {
    let text = || Arc::new(StringSerde);
    let _ = ChangeSerde::<String>(text()).deserialize("fuzz", bytes);
    let _ = SubscriptionSerde::<String>(text()).deserialize("fuzz", bytes);
    let _ = AnswerSerde::<String>(text()).deserialize("fuzz", bytes);
    let combined = CombinedSerde::<String, String> { foreign: text(), primary: text() };
    let _ = combined.deserialize("fuzz", bytes);
    let _ = WindowedSerde::new(StringSerde, std::time::Duration::from_secs(60)).deserialize("fuzz", bytes);
    let _ = SessionWindowedSerde::new(StringSerde).deserialize("fuzz", bytes);
}
