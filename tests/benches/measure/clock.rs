//! Wall-clock times.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Work;

/// How many samples, and how long one of them takes at least.
#[derive(Clone, Copy)]
pub struct Plan {
    pub samples: usize,
    pub sample: Duration,
}

/// For work of nanoseconds to microseconds.
pub const SHORT: Plan = Plan { samples: 301, sample: Duration::from_micros(800) };

/// Nanoseconds of one repetition, one value a sample.
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn new(values: Vec<f64>) -> Self {
        Samples(values)
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Sample by sample: two that were taken one after the other saw the same machine.
    pub fn less(&self, other: &Samples) -> Samples {
        Samples(self.0.iter().zip(&other.0).map(|(own, other)| own - other).collect())
    }
}

/// Measures works in turn.
pub fn measure(works: &mut [&mut dyn Work], plan: Plan) -> Result<Vec<Samples>> {
    let counts = works.iter_mut().map(|work| enough(&mut **work, plan.sample)).collect::<Result<Vec<_>>>()?;
    let mut samples = vec![Vec::with_capacity(plan.samples); works.len()];
    for _ in 0..plan.samples {
        for ((work, count), samples) in works.iter_mut().zip(&counts).zip(&mut samples) {
            samples.push(time(&mut **work, *count)?.as_nanos() as f64 / *count as f64);
        }
    }
    Ok(samples.into_iter().map(Samples).collect())
}

/// Repetitions that fill a sample. Finding out is the warm-up.
fn enough(work: &mut dyn Work, sample: Duration) -> Result<usize> {
    let mut count = 1;
    loop {
        if time(work, count)? >= sample {
            return Ok(count);
        }
        if count == work.most() {
            // Short samples of few repetitions: a last warm-up in place of the long one.
            for _ in 0..20 {
                time(work, count)?;
            }
            return Ok(count);
        }
        count = (count * 2).min(work.most());
    }
}

fn time(work: &mut dyn Work, count: usize) -> Result<Duration> {
    work.prepare(count)?;
    let start = Instant::now();
    work.run(count)?;
    Ok(start.elapsed())
}
