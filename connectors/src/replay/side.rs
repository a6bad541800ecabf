//! The taker's side where a recording does not name it: a trade above the last price was bought, one below it sold, and
//! at the same price it is as before (the tick rule). Knows prices only.

use candlewick_operators::{Decimal, Side};

/// Tells sides from the moves of one instrument's price.
#[derive(Debug)]
pub(super) struct TickRule {
    last_price: Decimal,
    last_side: Side,
}

impl Default for TickRule {
    fn default() -> Self {
        Self { last_price: Decimal::ZERO, last_side: Side::Buy }
    }
}

impl TickRule {
    /// The side of a trade at `price`. The first one counts as bought.
    pub(super) fn side(&mut self, price: Decimal) -> Side {
        self.last_side = match price.cmp(&self.last_price) {
            std::cmp::Ordering::Greater => Side::Buy,
            std::cmp::Ordering::Less => Side::Sell,
            std::cmp::Ordering::Equal => self.last_side,
        };
        self.last_price = price;
        self.last_side
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rising_prices_are_bought_falling_sold_and_equal_as_before() {
        let mut rule = TickRule::default();
        let sides: Vec<_> = [10, 11, 11, 9, 9, 10].map(|price| rule.side(Decimal::from_int(price))).to_vec();
        assert_eq!(sides, [Side::Buy, Side::Buy, Side::Buy, Side::Sell, Side::Sell, Side::Buy]);
    }
}
