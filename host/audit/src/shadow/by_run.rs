//! How much judgements of one run are alike, and what that takes from their number.
//!
//! Judgements of one run are about one task and one agent: where a policy disagrees once it disagrees
//! again. A hundred judgements of one run say less than one of each of a hundred runs. With `n`
//! judgements in `k` runs, of which `n_i` and agreeing `a_i` in run `i`, and the share `p = Σ a_i / n`,
//! the variance of the share over runs is so many times that of `n` independent judgements:
//!
//! ```text
//! effect = k / (k − 1) · (n − 1) / n · Σ (a_i − p · n_i)² / (n · p · (1 − p))
//! ```
//!
//! That is the design effect of a sample of clusters (Kish 1965, with the correction for few clusters
//! that is usual). The interval is Wilson's for `n / effect` judgements (Korn and Graubard 1998). It is
//! 1 where each run has one judgement, and taken as 1 where less comes out and where nothing can be
//! said: with one run, and where everything or nothing agreed.

use super::Interval;

/// Sums over runs. They are whole numbers, so that no order of the runs matters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ByRun {
    runs: f64,
    /// Σ n_i².
    judged: f64,
    /// Σ a_i².
    agreed: f64,
    /// Σ n_i · a_i.
    both: f64,
}

impl ByRun {
    /// Takes in a run, with so many that agreed among so many.
    pub fn add(&mut self, agreed: u64, judged: u64) {
        let (hits, all) = (agreed as f64, judged as f64);
        self.runs += 1.0;
        self.judged += all * all;
        self.agreed += hits * hits;
        self.both += all * hits;
    }

    /// The share of all runs together, as sure as its runs make it.
    pub fn interval(&self, agreed: u64, judged: u64) -> Option<Interval> {
        Interval::with_effect(agreed, judged, self.effect(agreed as f64, judged as f64))
    }

    fn effect(&self, agreed: f64, judged: f64) -> f64 {
        if self.runs < 2.0 || agreed <= 0.0 || agreed >= judged {
            return 1.0;
        }
        let share = agreed / judged;
        let squares = self.agreed - 2.0 * share * self.both + share * share * self.judged;
        let few = self.runs / (self.runs - 1.0) * (judged - 1.0) / judged;
        // Also where a sum is not a number.
        (few * squares / (judged * share * (1.0 - share))).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs as (agreed, judged), and the interval.
    fn interval(runs: &[(u64, u64)]) -> String {
        let mut sums = ByRun::default();
        runs.iter().for_each(|(agreed, judged)| sums.add(*agreed, *judged));
        let (agreed, judged) = runs.iter().fold((0, 0), |(hits, all), run| (hits + run.0, all + run.1));
        sums.interval(agreed, judged).map_or_else(String::new, |interval| interval.to_string())
    }

    /// Of so many judgements that are independent.
    fn wilson(agreed: u64, judged: u64) -> String {
        Interval::of(agreed, judged).map_or_else(String::new, |interval| interval.to_string())
    }

    #[test]
    fn runs_of_one_judgement_and_one_run_are_as_wilson_has_them() {
        let ones: Vec<(u64, u64)> = (0..29).map(|run| (u64::from(run == 0), 1)).collect();
        assert_eq!(interval(&ones), wilson(1, 29));
        assert_eq!(interval(&[(81, 263)]), wilson(81, 263));
        assert_eq!(interval(&[(10, 10), (19, 19)]), wilson(29, 29));
        assert_eq!(interval(&[(0, 10), (0, 10)]), wilson(0, 20));
        assert_eq!(interval(&[]), "");
    }

    #[test]
    fn runs_that_agree_throughout_or_not_at_all_count_little_more_than_once_each() {
        // p = 1/2, each residual is 5, so that the squares are 500 and n·p·(1−p) is 50; times 20/19 and
        // 199/200 the effect is 10.47, as that of 19.1 judgements.
        let runs: Vec<(u64, u64)> = (0..20).map(|run| (10 * (run % 2), 10)).collect();
        assert_eq!(interval(&runs), "50.0 % (29.5 to 70.5)");
        assert_eq!(wilson(100, 200), "50.0 % (43.1 to 56.9)");
    }

    #[test]
    fn runs_that_are_alike_give_no_narrower_interval_than_wilson() {
        assert_eq!(interval(&[(5, 10); 20]), wilson(100, 200));
    }
}
