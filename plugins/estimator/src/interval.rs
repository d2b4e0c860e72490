//! The arithmetic, in whole numbers: the same natively and in wasm, and exact until it saturates.

/// How many parts a factor has: it is taken to six decimals.
const PARTS: u128 = 1_000_000;

/// A factor of the configuration, 0..=10, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u32);

impl Factor {
    /// None when out of range or NaN.
    pub fn new(value: f64) -> Option<Self> {
        // To the nearest: 0.3 × 1,000,000 is a little less than 300,000.
        (0.0..=10.0).contains(&value).then_some(Factor((value * PARTS as f64 + 0.5) as u32))
    }
}

/// How far the task is.
#[derive(Debug, Clone, Copy)]
pub struct Units {
    /// Done.
    pub done: u32,
    /// Not yet done.
    pub remaining: u32,
}

/// How to get from a rate to an interval.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Of the lower end.
    pub lower: Factor,
    /// Of the upper end.
    pub upper: Factor,
    /// Units that must be done before the rate enters the lower end.
    pub after: u32,
}

/// Lower and upper end of what the remaining units will use, given what was used and what one unit
/// takes at least. More remaining units never lower either end.
pub fn interval(units: Units, used: u64, minimum: u64, rule: Rule) -> (u64, u64) {
    let least = minimum.saturating_mul(units.remaining.into());
    if units.done == 0 {
        return (least, least);
    }
    // 32, 64 and 24 bits: the product fits.
    let scaled = |factor: Factor| u128::from(units.remaining) * u128::from(used) * u128::from(factor.0);
    let parts = u128::from(units.done) * PARTS;
    let whole = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    let by_rate = if units.done < rule.after { 0 } else { whole(scaled(rule.lower) / parts) };
    let lower = least.max(by_rate);
    (lower, lower.max(whole(scaled(rule.upper).div_ceil(parts))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn factor(value: f64) -> Factor {
        Factor::new(value).unwrap_or_else(|| panic!("{value} is out of range"))
    }

    fn rule(lower: f64, upper: f64, after: u32) -> Rule {
        Rule { lower: factor(lower), upper: factor(upper), after }
    }

    #[test]
    fn a_factor_is_taken_to_six_decimals() {
        assert_eq!(factor(0.3), Factor(300_000));
        assert_eq!(factor(0.000_000_4), Factor(0));
        assert_eq!(factor(10.0), Factor(10_000_000));
        for outside in [-0.1, 10.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Factor::new(outside), None);
        }
    }

    #[test]
    fn the_largest_numbers_saturate() {
        let units = Units { done: 1, remaining: u32::MAX };
        assert_eq!(interval(units, u64::MAX, u64::MAX, rule(10.0, 10.0, 1)), (u64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn more_remaining_units_never_lower_either_end(
            done: u32,
            fewer: u32,
            more: u32,
            used: u64,
            minimum: u64,
            factors in (0.0..=10.0, 0.0..=10.0),
            after: u32,
        ) {
            let rule = rule(factors.0, factors.1, after);
            let at = |remaining| interval(Units { done, remaining }, used, minimum, rule);
            let (few, many) = (at(fewer.min(more)), at(fewer.max(more)));
            prop_assert!(few.0 <= many.0 && few.1 <= many.1, "{few:?} {many:?}");
            prop_assert!(few.0 <= few.1 && many.0 <= many.1);
        }

        /// Small numbers, where nothing saturates and every step of the arithmetic shows.
        #[test]
        fn the_rate_is_rounded_down_below_and_up_above(
            done in 1_u32..20,
            remaining in 0_u32..20,
            used in 0_u64..1000,
            halves in (0_u32..20, 0_u32..20),
        ) {
            let rule = rule(f64::from(halves.0) / 2.0, f64::from(halves.1) / 2.0, 1);
            let (lower, upper) = interval(Units { done, remaining }, used, 0, rule);
            let exact = |halves: u32| (u64::from(remaining * halves) * used, u64::from(2 * done));
            let (below, parts) = exact(halves.0);
            prop_assert_eq!(lower, below / parts);
            let (above, parts) = exact(halves.1);
            prop_assert_eq!(upper, lower.max(above.div_ceil(parts)));
        }
    }
}
