//! Names of instruments and exchanges: short strings kept inline. Knows text only.

use std::borrow::Borrow;
use std::fmt;

use candlewick::{DefaultSerde, Utf8};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// The name as text.
            ///
            /// ```
            /// use candlewick_operators::{Exchange, Symbol};
            /// assert_eq!((Symbol::from("BTC-USD").as_str(), Exchange::from("kraken").as_str()), ("BTC-USD", "kraken"));
            /// ```
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl DefaultSerde for $name {
            type Serde = Utf8;

            fn default_serde() -> Utf8 {
                Utf8
            }
        }
    };
}

name! {
    /// The name of an instrument as its exchange writes it, such as `BTC-USD`: UTF-8 text in the log.
    ///
    /// Up to 24 bytes are kept inline, so that clones of ordinary names touch no heap.
    ///
    /// ```
    /// use candlewick_operators::Symbol;
    /// let symbol = Symbol::from("XRPETH");
    /// assert_eq!(symbol.as_str(), "XRPETH");
    /// assert!(symbol < Symbol::from("XRPUSD"));
    /// ```
    Symbol
}

name! {
    /// The name of an exchange, such as `binance`: UTF-8 text in the log. Up to 24 bytes are kept inline.
    ///
    /// ```
    /// use candlewick_operators::Exchange;
    /// assert_eq!(Exchange::from("kraken").to_string(), "kraken");
    /// ```
    Exchange
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_24_bytes_stay_inline() {
        assert_eq!(size_of::<Symbol>(), 24);
        assert!(!Symbol::from("x".repeat(24).as_str()).0.is_heap_allocated());
    }

    #[test]
    fn json_is_the_bare_name() {
        let symbol = Symbol::from("BTC-USD");
        assert_eq!(serde_json::to_string(&symbol).expect("text"), "\"BTC-USD\"");
        assert_eq!(serde_json::from_str::<Symbol>("\"BTC-USD\"").expect("text"), symbol);
    }
}
