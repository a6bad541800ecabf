//! Trades of 200 symbols: popular ones far more often than others (Zipf), a millisecond of event time each, one in ten
//! up to two seconds late, prices as random walks. Owns the distribution and the record's bytes.

use candlewick::{Clock, SystemClock, Timestamp};
use candlewick_connectors::avro::{put_double, put_long, put_text};

use super::random::Random;

/// The schema the trades are written with.
pub const TRADE_SCHEMA: &str = include_str!("../../schemas/trade.avsc");

const SYMBOLS: usize = 200;
/// A prime that is greater than any number of symbols.
const STRIDE: usize = 2_147_483_647;
const LATE_ONE_IN: u64 = 10;
const LATE_MS_MAX: u64 = 2_000;

/// A generated trade.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedTrade {
    /// The symbol's number.
    pub symbol: usize,
    /// Its price: two decimal places.
    pub price: f64,
    /// Its size: two decimal places.
    pub size: f64,
    /// Whether the buyer took.
    pub buy: bool,
    /// Event time.
    pub time: Timestamp,
    /// Its number from 0.
    pub id: i64,
}

/// An endless sequence of trades.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_bench::TradeGenerator;
/// let mut one = TradeGenerator::new(42, Timestamp(0));
/// let mut two = TradeGenerator::new(42, Timestamp(60_000));
/// let (a, b) = (one.next_trade(), two.next_trade());
/// assert_eq!((a.symbol, a.price), (b.symbol, b.price), "the start moves the time and nothing else");
/// ```
pub struct TradeGenerator {
    random: Random,
    /// How much of all trades the symbols up to each have; empty when each symbol comes once in every round.
    cumulated: Vec<f64>,
    names: Vec<String>,
    prices: Vec<f64>,
    start: Timestamp,
    next_id: i64,
}

impl TradeGenerator {
    /// Trades from `start` on, a millisecond each.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = Vec::with_capacity(SYMBOLS);
        for rank in 1..=SYMBOLS {
            sum += 1.0 / rank as f64;
            cumulated.push(sum);
        }
        cumulated.iter_mut().for_each(|share| *share /= sum);
        Self {
            random: Random::new(seed),
            cumulated,
            names: (0..SYMBOLS).map(|number| format!("SYM{number:03}-USD")).collect(),
            prices: (0..SYMBOLS).map(|number| 50.0 + number as f64 * 3.0).collect(),
            start,
            next_id: 0,
        }
    }

    /// Trades of so many symbols, each of which comes once in every round of as many trades.
    #[must_use]
    pub fn of_symbols(seed: u64, start: Timestamp, symbols: usize) -> Self {
        Self {
            random: Random::new(seed),
            cumulated: Vec::new(),
            names: (0..symbols).map(|number| format!("S{number}-USD")).collect(),
            prices: (0..symbols).map(|number| 50.0 + (number % 1_000) as f64).collect(),
            start,
            next_id: 0,
        }
    }

    /// Which symbol is traded next. A stride through them that is prime to their number meets each once.
    fn next_symbol(&mut self) -> usize {
        let symbols = self.names.len();
        if self.cumulated.is_empty() {
            let number = usize::try_from(self.next_id).expect("counted from 0");
            return number.wrapping_mul(STRIDE) % symbols;
        }
        let share = self.random.fraction();
        self.cumulated.partition_point(|up_to| *up_to < share).min(symbols - 1)
    }

    /// The name of a symbol.
    ///
    /// # Panics
    /// When there is no symbol of this number.
    #[must_use]
    pub fn name(&self, symbol: usize) -> &str {
        &self.names[symbol]
    }

    /// The next trade.
    pub fn next_trade(&mut self) -> GeneratedTrade {
        let symbol = self.next_symbol();
        let walked = &mut self.prices[symbol];
        *walked *= 1.0 + (self.random.fraction() - 0.5) * 0.001;
        let price = (*walked * 100.0).round() / 100.0;
        let size = ((self.random.fraction() * 1_000.0).round() + 1.0) / 100.0;
        let late = match self.random.below(LATE_ONE_IN) {
            0 => self.random.below(LATE_MS_MAX),
            _ => 0,
        };
        let late = i64::try_from(late).expect("below two seconds");
        let buy = self.random.below(2) == 0;
        let id = self.next_id;
        self.next_id += 1;
        let time = self.start.plus_millis(id - late);
        GeneratedTrade { symbol, price, size, buy, time, id }
    }

    /// Writes a trade in Confluent's wire format under this schema id; `out` is emptied first.
    pub fn encode(&self, trade: &GeneratedTrade, schema_id: u32, out: &mut Vec<u8>) {
        out.clear();
        out.push(0);
        out.extend_from_slice(&schema_id.to_be_bytes());
        put_text(self.name(trade.symbol), out);
        put_double(trade.price, out);
        put_double(trade.size, out);
        put_long(i64::from(!trade.buy), out);
        put_long(trade.time.as_millis(), out);
        put_long(trade.id, out);
    }
}
/// The whole minute before so many milliseconds ago: a broker refuses times that lie ahead, and the same whole minute gives
/// the same windows.
pub(crate) fn minute_before(millis: i64) -> Timestamp {
    let past = SystemClock::default().wall().minus_millis(millis).as_millis();
    Timestamp(past.div_euclid(60_000) * 60_000)
}
