//! What is told of the recordings that a command has read.

use countersign_audit::{NotRead, Readout};

use crate::style::{MIND, QUIET, counted, line, number, styled};

/// Parts that are named of each recording; more are counted.
const MOST: usize = 10;

/// Says on standard error what was left out.
pub fn left_out(recordings: &[Readout], not_read: &[NotRead]) {
    for NotRead { file, problem } in not_read {
        anstream::eprintln!("{} `{}`: {}", styled(MIND, "left out:"), line(file, 200), line(problem, 300));
    }
    for read in recordings {
        for problem in read.problems.iter().take(MOST) {
            anstream::eprintln!("{} {}", styled(MIND, "left out:"), line(&problem.to_string(), 300));
        }
        let more = read.problems.len().saturating_sub(MOST) as u64 + read.more_problems;
        if more > 0 {
            let file = line(&read.file, 200);
            anstream::eprintln!("{} `{file}`: {} more", styled(MIND, "left out:"), number(more));
        }
    }
}

/// Says which form each recording has.
pub fn print(recordings: &[Readout]) {
    for read in recordings {
        let stray = match read.stray_results {
            0 => String::new(),
            stray => format!(", {} of calls that are not in it", counted(stray, "result")),
        };
        let text = format!("`{}`: {}, {}{stray}", line(&read.file, 120), read.form, counted(read.runs, "run"));
        crate::say!("{}", styled(QUIET, text));
    }
    crate::say!();
}
