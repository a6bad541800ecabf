//! What a file's name tells: the instrument, and perhaps the exchange. Knows names only.

use std::path::Path;

use candlewick_operators::{Exchange, Symbol};

/// Names that are exchanges when they stand at the beginning of a file's name.
const EXCHANGES: [&str; 14] = [
    "binance", "bitfinex", "bitflyer", "bitmex", "bitstamp", "bybit", "coinbase", "deribit", "ftx", "gateio",
    "gemini", "kraken", "kucoin", "okx",
];

/// Words that are never an instrument.
const OTHER_WORDS: [&str; 12] =
    ["trades", "trade", "aggtrades", "raw", "ws", "spot", "futures", "um", "cm", "data", "part", "klines"];

/// The exchange and the instrument in names such as `ftx_btc-perp_trades_20211231.csv.gz`,
/// `BTCUSDT-aggTrades-2024-01-01.csv` and `XBTUSD.csv`.
pub(super) fn parse(path: &Path) -> (Option<Exchange>, Option<Symbol>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let lower = stem.to_ascii_lowercase();
    for word in ["-aggtrades", "-trades"] {
        if let Some(at) = lower.find(word) {
            return (None, symbol(&stem[..at]));
        }
    }
    let mut parts = stem.split('_').filter(|part| !part.is_empty()).peekable();
    let exchange = parts
        .peek()
        .map(|first| first.to_ascii_lowercase())
        .filter(|first| EXCHANGES.iter().any(|known| first.starts_with(known)));
    if exchange.is_some() {
        parts.next();
    }
    let found = parts.find(|part| !OTHER_WORDS.contains(&part.to_ascii_lowercase().as_str()));
    (exchange.map(Exchange::from), found.and_then(symbol))
}

/// Upper case, as exchanges write instruments; at least one letter makes it one.
fn symbol(text: &str) -> Option<Symbol> {
    let letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    letters.then(|| Symbol::from(text.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dumps_tell_symbol_and_exchange() {
        for (name, exchange, symbol) in [
            ("ftx_btc-perp_1m_20211231-20220201.csv.gz", Some("ftx"), Some("BTC-PERP")),
            ("BTCUSDT-aggTrades-2024-01-01.csv", None, Some("BTCUSDT")),
            ("BTCUSDT-trades-2024-01.csv.gz", None, Some("BTCUSDT")),
            ("binance_futures_btcusdt_trades.csv", Some("binance"), Some("BTCUSDT")),
            ("binance-futures_btcusdt.csv", Some("binance-futures"), Some("BTCUSDT")),
            ("XBTUSD.csv", None, Some("XBTUSD")),
            ("20240101.csv", None, None),
        ] {
            let expected = (exchange.map(Exchange::from), symbol.map(Symbol::from));
            assert_eq!(parse(Path::new(name)), expected, "{name}");
        }
    }
}
