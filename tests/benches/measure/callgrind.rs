//! Instructions of one repetition.
//!
//! The bench runs its own binary once under callgrind. That child repeats every line a few times
//! and many times, each between two calls of a function whose name callgrind is told: entering it
//! writes down what was counted since it was entered last. The difference of the two counts, over
//! the difference of repetitions, is free of what a line does once.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Work;

/// The hidden argument that makes the bench the child.
pub const CHILD: &str = "--under-callgrind";
const FEW: usize = 20;
const MANY: usize = 120;
/// More than a policy remembers, so that its memory is full and every repetition does the same.
const WARM: usize = 200;

/// Entered, callgrind closes a part of its counts.
#[inline(never)]
fn close_part() {
    std::hint::black_box(());
}

/// The child's side: four parts a line.
pub fn count(work: &mut dyn Work) -> Result<()> {
    work.prepare(WARM)?;
    work.run(WARM)?;
    for count in [FEW, MANY] {
        work.prepare(count)?;
        close_part();
        work.run(count)?;
        close_part();
    }
    Ok(())
}

/// What was counted, in the order of the lines.
pub struct Counts {
    each: Vec<f64>,
    missing: Option<String>,
}

impl Counts {
    /// Counts nothing.
    pub fn none(why: &str) -> Self {
        Counts { each: Vec::new(), missing: Some(why.to_owned()) }
    }

    /// Runs the child. Where that is not possible the counts are missing and say why.
    pub fn take() -> Self {
        match run_child() {
            Ok(each) => Counts { each, missing: None },
            Err(error) => Counts::none(&format!("{error:#}")),
        }
    }

    /// Of the line at this position.
    pub fn of(&self, line: usize) -> Option<f64> {
        self.each.get(line).copied()
    }

    /// Why there are none.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

fn run_child() -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=*close_part*", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .arg(CHILD)
        .stdin(Stdio::null())
        .output()
        .context("valgrind cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("valgrind failed: {}", said.lines().last().unwrap_or_default());
    }
    let parts = (1..).map(|part| total(&out, part)).take_while(Option::is_some).flatten().collect::<Vec<_>>();
    // Of four parts the second and the fourth lie between two calls; what follows the last line is
    // a part of its own, or none.
    let spent = parts.chunks_exact(4).map(|parts| (parts[3] - parts[1]) / (MANY - FEW) as f64);
    let spent: Vec<f64> = spent.collect();
    if spent.is_empty() {
        bail!("callgrind wrote no counts");
    }
    Ok(spent)
}

/// The sum in the file of a part; none when there is no such part.
fn total(out: &Path, part: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("{}.{part}", out.display())).ok()?;
    let sum = text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")))?;
    sum.trim().parse().ok()
}
