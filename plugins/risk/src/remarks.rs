//! Rows of the matrix that can never decide, for the operator. The first row that matches counts, so
//! two rows that overlap are no contradiction: the earlier one is meant to win.

use crate::config::ComplianceMatch;
use crate::matrix::ContractRow;

/// One line for each row that is never reached; rows are counted from 1.
pub fn of(rows: &[ContractRow]) -> Vec<String> {
    let bands = Bands::of(rows);
    // Which row takes a cell, by its position.
    let mut taken: Vec<Option<usize>> = vec![None; bands.cells()];
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let (mut fits, mut reached) = (false, false);
        let mut takers = vec![false; at];
        for cell in bands.fitting(row) {
            fits = true;
            match taken[cell] {
                None => {
                    taken[cell] = Some(at);
                    reached = true;
                }
                // A cell that the row has itself taken does not come again.
                Some(taker) => takers[taker] = true,
            }
        }
        if !fits {
            lines.push(format!("matrix row {} is never reached: no action fits it", at + 1));
        } else if !reached {
            let names: Vec<String> = (1..=at).filter(|row| takers[row - 1]).map(|row| row.to_string()).collect();
            let (rows, take) = if names.len() == 1 { ("row", "takes") } else { ("rows", "take") };
            let names = names.join(", ");
            lines.push(format!(
                "matrix row {} is never reached: {rows} {names} {take} every action that fits it",
                at + 1
            ));
        }
    }
    lines
}

/// Every blast radius that the rows tell apart: below the first limit, from each to the next, from
/// the last on.
struct Bands {
    limits: Vec<u64>,
}

impl Bands {
    fn of(rows: &[ContractRow]) -> Self {
        let mut limits: Vec<u64> = rows.iter().filter_map(|row| row.blast_below).filter(|limit| *limit > 0).collect();
        limits.sort_unstable();
        limits.dedup();
        Bands { limits }
    }

    fn cells(&self) -> usize {
        (self.limits.len() + 1) * 4
    }

    /// Cells that a row matches: its bands, reversible and not, tagged and not.
    fn fitting(&self, row: &ContractRow) -> impl Iterator<Item = usize> {
        let bands = match row.blast_below {
            None => self.limits.len() + 1,
            Some(below) => self.limits.partition_point(|limit| *limit <= below),
        };
        let (irreversible, compliance) = (row.irreversible, row.compliance);
        (0..bands * 4).filter(move |cell| {
            let tagged = cell & 1 == 1;
            irreversible.is_none_or(|wanted| wanted == (cell & 2 == 2))
                && match compliance {
                    ComplianceMatch::Any => true,
                    ComplianceMatch::None => !tagged,
                    ComplianceMatch::PiiOrHigher => tagged,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use countersign_sdk::risk::Compliance;

    use super::*;
    use crate::config::{Any, Configuration, OrAny, Row};
    use crate::matrix::Matrix;

    fn matrix(rows: Vec<Row>) -> Matrix {
        match Matrix::new(Configuration::with_matrix(rows)) {
            Ok(matrix) => matrix,
            Err(error) => panic!("{error:?}"),
        }
    }

    fn row(irreversible: Option<bool>, blast: &str, compliance: ComplianceMatch) -> Row {
        Row {
            irreversible: irreversible.map_or(OrAny::Any(Any::Any), OrAny::Exactly),
            blast: blast.to_owned(),
            compliance,
            decision: "always_escalate".to_owned(),
        }
    }

    fn remarks(rows: Vec<Row>) -> Vec<String> {
        of(matrix(rows).contract())
    }

    use ComplianceMatch::{Any as Whatever, None as Untagged, PiiOrHigher as Tagged};

    #[test]
    fn none_for_the_default_matrix() {
        assert_eq!(remarks(crate::config::default_matrix()), Vec::<String>::new());
        assert_eq!(remarks(Vec::new()), Vec::<String>::new());
    }

    #[test]
    fn a_row_behind_one_that_takes_all_of_it() {
        let one = "matrix row 2 is never reached: row 1 takes every action that fits it";
        let wide = || row(None, "any", Whatever);
        assert_eq!(remarks(vec![wide(), row(Some(true), "<10", Tagged)]), [one]);
        assert_eq!(remarks(vec![wide(), wide()]), [one]);
        assert_eq!(remarks(vec![row(None, "<100", Untagged), row(Some(false), "<10", Untagged)]), [one]);
        assert!(remarks(vec![row(Some(false), "<10", Untagged), row(None, "<100", Untagged)]).is_empty());
        assert!(remarks(vec![row(None, "<10", Whatever), row(None, "<11", Whatever)]).is_empty());
        assert!(remarks(vec![row(None, "<10", Whatever), row(None, "any", Whatever)]).is_empty());
        assert!(remarks(vec![row(None, "any", Tagged), row(None, "any", Whatever)]).is_empty());
    }

    #[test]
    fn rows_that_only_together_take_all_of_it() {
        let rows = vec![
            row(Some(true), "any", Whatever),
            row(None, "any", Tagged),
            row(Some(false), "<50", Untagged),
            row(None, "<20", Whatever),
            row(None, "<51", Whatever),
        ];
        assert_eq!(remarks(rows), ["matrix row 4 is never reached: rows 1, 2, 3 take every action that fits it"]);
    }

    #[test]
    fn nothing_is_below_nought() {
        assert_eq!(remarks(vec![row(None, "<0", Whatever)]), ["matrix row 1 is never reached: no action fits it"]);
    }

    /// Against the matrix itself, over all rows of a few values.
    #[test]
    fn a_row_is_reached_exactly_when_an_action_gets_there() {
        let blasts = ["any", "<0", "<1", "<10", "<18446744073709551615"];
        let values = [0, 1, 9, 10, u64::MAX - 1, u64::MAX];
        let mut all = Vec::new();
        for irreversible in [None, Some(true), Some(false)] {
            for blast in blasts {
                for compliance in [Whatever, Untagged, Tagged] {
                    all.push(row(irreversible, blast, compliance));
                }
            }
        }
        let mut remarked = 0;
        for start in 0..all.len() {
            for step in 1..all.len() {
                let rows: Vec<Row> = (0..5).map(|turn| all[(start + turn * step) % all.len()].clone()).collect();
                let matrix = matrix(rows);
                let mut reached = [false; 5];
                for irreversible in [true, false] {
                    for blast in values {
                        for compliance in [Compliance::None, Compliance::Pii, Compliance::Regulated] {
                            let row =
                                matrix.contract().iter().position(|row| row.matches(irreversible, blast, compliance));
                            row.into_iter().for_each(|row| reached[row] = true);
                        }
                    }
                }
                let lines = of(matrix.contract());
                remarked += lines.len();
                for (at, reached) in reached.iter().enumerate() {
                    let start = format!("matrix row {} is never", at + 1);
                    assert_eq!(lines.iter().any(|line| line.starts_with(&start)), !reached, "{lines:?}");
                }
            }
        }
        assert!(remarked > 1000);
    }
}
