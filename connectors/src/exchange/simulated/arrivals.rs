//! Trades in the order in which they arrive: when each market trades, and what the line does to it. Owns the schedule,
//! trade ids, lateness, duplicates and bursts; must not know how a price is made.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use candlewick::Timestamp;
use candlewick_operators::{Decimal, Exchange, Side, Symbol, Trade};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SIMULATED;
use super::config::SimulatedSettings;
use super::market::{Market, Print, exponential};

/// Gives out simulated trades in order of arrival, without end.
///
/// A late trade stands behind younger ones, with the time at which it happened; a duplicate comes again some
/// milliseconds later with the same trade id. Prices are exact decimals in the market's smallest step.
///
/// ```
/// use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings};
/// let settings = SimulatedSettings { late_share: 0.0, duplicate_share: 0.0, ..SimulatedSettings::default() };
/// let trades: Vec<_> = SimulatedExchange::new(settings).take(100).collect();
/// assert!(trades.is_sorted_by_key(|trade| trade.timestamp));
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedExchange {
    settings: SimulatedSettings,
    random: ChaCha8Rng,
    markets: Vec<Listed>,
    /// Milliseconds since the start, with fraction.
    now_ms: f64,
    /// Trades on the line, by arrival and then by order of their making.
    line: BinaryHeap<Reverse<Arrival>>,
    made: u64,
    exchange: Exchange,
}

#[derive(Clone, Debug)]
struct Listed {
    market: Market,
    symbol: Symbol,
    seen_ms: f64,
    trades: i64,
    burst: Option<Burst>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    side: Side,
    left: u32,
}

/// A trade on the line. Ordered by arrival, then by order of making: the trade itself has no order.
#[derive(Clone, Debug)]
struct Arrival {
    at_ms: i64,
    order: u64,
    trade: Trade,
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.order) == (other.at_ms, other.order)
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

impl SimulatedExchange {
    /// An exchange that has not traded yet. Without any symbol it gives no trade.
    ///
    /// ```
    /// # use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings, SimulatedSymbol};
    /// let nothing = SimulatedSettings { symbols: Vec::new(), ..SimulatedSettings::default() };
    /// assert!(SimulatedExchange::new(nothing).next().is_none());
    /// ```
    #[must_use]
    pub fn new(settings: SimulatedSettings) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let markets = settings
            .symbols
            .iter()
            .map(|listed| Listed {
                symbol: Symbol::from(listed.symbol.as_str()),
                market: Market::new(listed.clone(), settings.regime_seconds.max(1.0), &mut random),
                seen_ms: 0.0,
                trades: 0,
                burst: None,
            })
            .collect();
        Self {
            settings,
            random,
            markets,
            now_ms: 0.0,
            line: BinaryHeap::new(),
            made: 0,
            exchange: Exchange::from(SIMULATED),
        }
    }

    /// The settings it was made from.
    ///
    /// ```
    /// # use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings, SimulatedSymbol};
    /// assert_eq!(SimulatedExchange::new(SimulatedSettings::default()).settings().seed, 1);
    /// ```
    #[must_use]
    pub fn settings(&self) -> &SimulatedSettings {
        &self.settings
    }

    /// The mood of each market at present, in the order of the settings.
    ///
    /// ```
    /// # use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings, SimulatedSymbol};
    /// let exchange = SimulatedExchange::new(SimulatedSettings::default());
    /// assert_eq!(exchange.regimes().next().map(|(symbol, _)| symbol.as_str()), Some("BTC-USD"));
    /// ```
    pub fn regimes(&self) -> impl Iterator<Item = (&Symbol, super::Regime)> {
        self.markets.iter().map(|listed| (&listed.symbol, listed.market.regime))
    }

    /// Makes the next trade and puts it on the line.
    fn trade(&mut self) {
        let index = self.wait();
        let listed = &mut self.markets[index];
        let seconds = ((self.now_ms - listed.seen_ms) / 1_000.0).max(1e-6);
        listed.seen_ms = self.now_ms;
        listed.market.advance(seconds, &mut self.random);
        let print = match &mut listed.burst {
            Some(burst) => {
                let side = burst.side;
                burst.left -= 1;
                if burst.left == 0 {
                    listed.burst = None;
                }
                listed.market.sweep(side);
                listed.market.print_on(side, &mut self.random)
            }
            None => listed.market.print(&mut self.random),
        };
        self.maybe_burst(index, print.side, seconds);
        self.send(index, print);
    }

    /// Lets the time to the next trade pass and says whose trade it is. Bursting markets come first.
    fn wait(&mut self) -> usize {
        if let Some(index) = self.markets.iter().position(|listed| listed.burst.is_some()) {
            self.now_ms += 0.4 * exponential(&mut self.random);
            return index;
        }
        let shares = |listed: &Listed| listed.market.settings().weight.max(0.0);
        let total: f64 = self.markets.iter().map(shares).sum();
        let busy: f64 = self.markets.iter().map(|listed| shares(listed) * listed.market.activity()).sum();
        let (total, busy) = if total > 0.0 { (total, busy) } else { (1.0, 1.0) };
        let rate = self.settings.trades_per_second.max(1e-3) * (busy / total);
        self.now_ms += exponential(&mut self.random) * 1_000.0 / rate;
        let mut point = self.random.random::<f64>() * busy;
        for (index, listed) in self.markets.iter().enumerate() {
            point -= shares(listed) * listed.market.activity();
            if point < 0.0 {
                return index;
            }
        }
        self.markets.len() - 1
    }

    fn maybe_burst(&mut self, index: usize, side: Side, seconds: f64) {
        let chance = self.settings.bursts_per_hour * seconds / 3_600.0;
        let longest = self.settings.burst_trades_max;
        if self.markets[index].burst.is_none() && longest > 0 && self.random.random::<f64>() < chance {
            let left = self.random.random_range(1..=longest);
            self.markets[index].burst = Some(Burst { side, left });
        }
    }

    /// The line: some trades are late, some arrive twice.
    fn send(&mut self, index: usize, print: Print) {
        let listed = &mut self.markets[index];
        listed.trades += 1;
        let happened = self.settings.start.0.saturating_add(self.now_ms as i64);
        let trade = Trade {
            symbol: listed.symbol.clone(),
            exchange: self.exchange.clone(),
            price: in_steps(print.price_steps, listed.market.settings().price_digits),
            size: in_steps(print.size_steps, listed.market.settings().size_digits),
            side: print.side,
            timestamp: Timestamp(happened),
            id: listed.trades,
        };
        let late = self.settings.late_ms_max > 0 && self.random.random::<f64>() < self.settings.late_share;
        let late_ms = if late { self.random.random_range(1..=self.settings.late_ms_max) } else { 0 };
        let twice = self.random.random::<f64>() < self.settings.duplicate_share;
        let arrives = happened + i64::from(late_ms);
        if twice {
            let again = arrives + self.random.random_range(1..=50);
            self.put(again, trade.clone());
        }
        self.put(arrives, trade);
    }

    fn put(&mut self, at_ms: i64, trade: Trade) {
        self.made += 1;
        self.line.push(Reverse(Arrival { at_ms, order: self.made, trade }));
    }
}

/// A count of steps of `10^-digits` as a decimal; a decimal has twelve digits behind its point.
fn in_steps(steps: i64, digits: u8) -> Decimal {
    Decimal::from_units(
        i128::from(steps) * 10_i128.pow(Decimal::SCALE - u32::from(digits).min(Decimal::SCALE)),
    )
}

impl Iterator for SimulatedExchange {
    type Item = Trade;

    fn next(&mut self) -> Option<Trade> {
        if self.markets.is_empty() {
            return None;
        }
        loop {
            let now = self.settings.start.0.saturating_add(self.now_ms as i64);
            // What is made from now on cannot arrive before this millisecond.
            if self.line.peek().is_some_and(|Reverse(next)| next.at_ms < now) {
                return self.line.pop().map(|Reverse(next)| next.trade);
            }
            self.trade();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::Regime;
    use super::*;

    fn settings(seed: u64) -> SimulatedSettings {
        SimulatedSettings { seed, start: Timestamp(1_700_000_000_000), ..SimulatedSettings::default() }
    }

    #[test]
    fn the_same_seed_gives_the_same_trades_and_another_seed_others() {
        let trades = |seed| SimulatedExchange::new(settings(seed)).take(5_000).collect::<Vec<_>>();
        assert_eq!(trades(5), trades(5));
        assert_ne!(trades(5), trades(6));
    }

    #[test]
    fn trades_say_that_they_are_simulated_and_are_positive_in_every_market() {
        let mut symbols = BTreeSet::new();
        for trade in SimulatedExchange::new(settings(1)).take(20_000) {
            assert_eq!(trade.exchange.as_str(), SIMULATED);
            assert!(trade.price.is_positive() && trade.size.is_positive(), "{trade:?}");
            assert!(trade.timestamp >= Timestamp(1_700_000_000_000));
            symbols.insert(trade.symbol.to_string());
        }
        assert_eq!(symbols.len(), SimulatedSettings::default().symbols.len());
    }

    #[test]
    fn the_rate_is_near_the_one_asked_for() {
        let quiet = SimulatedSettings { bursts_per_hour: 0.0, duplicate_share: 0.0, ..settings(2) };
        let start = quiet.start.0;
        let last = SimulatedExchange::new(quiet.clone()).nth(200_000).expect("endless");
        let rate = 200_000.0 / ((last.timestamp.0 - start) as f64 / 1_000.0);
        let asked = quiet.trades_per_second;
        assert!(rate > 0.7 * asked && rate < 1.6 * asked, "{rate} a second instead of about {asked}");
    }

    #[test]
    fn no_trade_is_later_than_the_bound_and_some_are_late() {
        let settings = SimulatedSettings { duplicate_share: 0.0, ..settings(3) };
        let bound = i64::from(settings.late_ms_max);
        let (mut newest, mut late) = (i64::MIN, 0);
        for trade in SimulatedExchange::new(settings).take(50_000) {
            newest = newest.max(trade.timestamp.0);
            assert!(newest - trade.timestamp.0 <= bound);
            late += usize::from(trade.timestamp.0 < newest);
        }
        assert!((500..5_000).contains(&late), "{late} of 50,000 trades stood behind younger ones");
    }

    #[test]
    fn without_lateness_trades_arrive_in_the_order_of_their_times() {
        let settings = SimulatedSettings { late_share: 0.0, duplicate_share: 0.0, ..settings(4) };
        let times: Vec<_> =
            SimulatedExchange::new(settings).take(20_000).map(|trade| trade.timestamp).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn duplicates_repeat_the_whole_trade_and_only_they_share_an_id() {
        let mut seen: BTreeMap<(String, i64), Trade> = BTreeMap::new();
        let mut twice = 0;
        for trade in SimulatedExchange::new(settings(8)).take(50_000) {
            let id = (trade.symbol.to_string(), trade.id);
            if let Some(first) = seen.insert(id, trade.clone()) {
                assert_eq!(first, trade);
                twice += 1;
            }
        }
        assert!((100..600).contains(&twice), "{twice} duplicates in 50,000");
    }

    #[test]
    fn bursts_put_many_trades_of_one_side_into_one_instant() {
        let settings = SimulatedSettings { bursts_per_hour: 200.0, late_share: 0.0, ..settings(9) };
        let trades: Vec<_> = SimulatedExchange::new(settings).take(50_000).collect();
        let densest = trades
            .windows(20)
            .filter(|run| {
                run.iter().all(|trade| (&trade.symbol, trade.side) == (&run[0].symbol, run[0].side))
            })
            .map(|run| run[19].timestamp.0 - run[0].timestamp.0)
            .min();
        assert!(densest.is_some_and(|ms| ms < 50), "{densest:?} ms for twenty trades");
    }

    #[test]
    fn volatile_hours_move_more_than_calm_ones() {
        let mut exchange = SimulatedExchange::new(settings(10));
        let mut moves: BTreeMap<Regime, (f64, f64)> = BTreeMap::new();
        let mut last: Option<(f64, i64)> = None;
        for _ in 0..2_000_000 {
            let trade = exchange.next().expect("endless");
            if trade.symbol.as_str() != "BTC-USD" || trade.side == Side::Sell {
                continue;
            }
            let regime = exchange.regimes().next().expect("a market").1;
            let price = trade.price.to_f64().ln();
            match last {
                Some((_, at)) if trade.timestamp.0 < at + 10_000 => {}
                Some((before, at)) => {
                    let sums = moves.entry(regime).or_default();
                    sums.0 += (price - before).powi(2);
                    sums.1 += (trade.timestamp.0 - at) as f64;
                    last = Some((price, trade.timestamp.0));
                }
                None => last = Some((price, trade.timestamp.0)),
            }
        }
        let variance = |regime| moves.get(&regime).map_or(0.0, |(sum, time)| sum / time);
        let (calm, volatile) = (variance(Regime::Calm), variance(Regime::Volatile));
        assert!(calm > 0.0 && volatile > 4.0 * calm, "{volatile} against {calm}");
    }
}
