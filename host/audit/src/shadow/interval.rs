use serde::Serialize;

/// A share and how sure it is: the Wilson score interval of 95 %, which holds for few samples and for
/// shares near 0 and 1 too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interval {
    /// 0..=1.
    pub share: f64,
    /// Lower end, 0..=1.
    pub lower: f64,
    /// Upper end, 0..=1.
    pub upper: f64,
}

/// Quantile of the normal distribution that leaves 2.5 % above it.
const Z: f64 = 1.959_963_984_540_054;

impl Interval {
    /// Of so many among so many; none among none.
    pub fn of(hits: u64, all: u64) -> Option<Interval> {
        Interval::with_effect(hits, all, 1.0)
    }

    /// As wide as that of so many times fewer samples, which are independent of each other where these
    /// are not: [`ByRun`](super::by_run::ByRun) has the number.
    pub(super) fn with_effect(hits: u64, all: u64, effect: f64) -> Option<Interval> {
        if all == 0 || hits > all {
            return None;
        }
        let share = hits as f64 / all as f64;
        let n = all as f64 / effect;
        let square = Z * Z / n;
        let middle = (share + square / 2.0) / (1.0 + square);
        let half = Z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt() / (1.0 + square);
        Some(Interval {
            share,
            // At the ends they are exact, and rounding would miss them.
            lower: if hits == 0 { 0.0 } else { middle - half },
            upper: if hits == all { 1.0 } else { middle + half },
        })
    }
}

/// `91.7 % (85.3 to 95.4)`.
impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [share, lower, upper] = [self.share, self.lower, self.upper].map(|share| share * 100.0);
        f.pad(&format!("{share:.1} % ({lower:.1} to {upper:.1})"))
    }
}

#[cfg(test)]
mod tests {
    use super::Interval;

    /// Hits, samples, and what Wilson's formula gives (Newcombe 1998, table I, and by hand).
    #[test]
    fn intervals_of_the_literature() {
        let table = [
            (81, 263, "30.8 % (25.5 to 36.6)"),
            (15, 148, "10.1 % (6.2 to 16.0)"),
            (0, 20, "0.0 % (0.0 to 16.1)"),
            (1, 29, "3.4 % (0.6 to 17.2)"),
            (29, 29, "100.0 % (88.3 to 100.0)"),
            (1, 1, "100.0 % (20.7 to 100.0)"),
            (0, 1, "0.0 % (0.0 to 79.3)"),
        ];
        for (hits, all, expected) in table {
            let found = Interval::of(hits, all).map(|interval| interval.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{hits} of {all}");
        }
    }

    #[test]
    fn nothing_of_nothing() {
        assert_eq!(Interval::of(0, 0), None);
        assert_eq!(Interval::of(2, 1), None);
    }

    #[test]
    fn an_interval_lies_in_its_range_around_its_share_and_narrows_with_samples() {
        for all in 1..200_u64 {
            for hits in 0..=all {
                let Some(Interval { share, lower, upper }) = Interval::of(hits, all) else { panic!("{hits} of {all}") };
                assert!(0.0 <= lower && lower <= share && share <= upper && upper <= 1.0, "{hits} of {all}");
                let Some(more) = Interval::of(10 * hits, 10 * all) else { panic!("{hits} of {all}") };
                assert!(more.upper - more.lower < upper - lower, "{hits} of {all}");
            }
        }
    }
}
