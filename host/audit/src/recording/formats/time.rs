//! Times of recordings: milliseconds since the first of them.

use serde_json::Value;

/// Turns moments into milliseconds since the run began.
#[derive(Debug, Default)]
pub struct Times {
    began: Option<i64>,
    last: u64,
}

impl Times {
    /// A moment that an element states; the one before it where it states none.
    pub fn of(&mut self, stated: Option<&Value>) -> u64 {
        let moment = match stated {
            Some(Value::String(text)) => milliseconds(text),
            // Seconds since 1970.
            Some(Value::Number(number)) => number.as_f64().filter(|at| at.is_finite()).map(|at| (at * 1000.0) as i64),
            _ => None,
        };
        if let Some(moment) = moment {
            let began = *self.began.get_or_insert(moment);
            self.last = self.last.max(u64::try_from(moment.saturating_sub(began)).unwrap_or(0));
        }
        self.last
    }
}

/// Milliseconds since 1970 of a date and time as ISO 8601 has them; without a zone it is taken for UTC, since only
/// what has passed between two of them counts.
fn milliseconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok().filter(|number| *number >= 0);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let bytes = text.as_bytes();
    let shaped = bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b' ') && bytes[13] == b':';
    if !shaped || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..).unwrap_or_default();
    let fraction: String = match rest.strip_prefix(['.', ',']) {
        Some(rest) => rest.chars().take_while(char::is_ascii_digit).take(3).collect(),
        None => String::new(),
    };
    let thousandths = format!("{fraction:0<3}").parse::<i64>().ok()?;
    // Days since 1970 in the Gregorian calendar, years beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + thousandths - offset(rest) * 60_000)
}

/// Minutes by which a zone is before UTC.
fn offset(rest: &str) -> i64 {
    let Some(at) = rest.rfind(['+', '-']) else { return 0 };
    let digits: String = rest[at + 1..].chars().filter(char::is_ascii_digit).collect();
    let minutes = match (digits.get(..2).map(str::parse::<i64>), digits.get(2..4).map(str::parse::<i64>)) {
        (Some(Ok(hours)), Some(Ok(minutes))) => hours * 60 + minutes,
        (Some(Ok(hours)), _) => hours * 60,
        _ => 0,
    };
    if rest.as_bytes()[at] == b'-' { -minutes } else { minutes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_every_form() {
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-21T10:15:30.123Z", Some(1_795_256_130_123)),
            ("2026-11-21T10:15:30.123456", Some(1_795_256_130_123)),
            ("2026-11-21 11:15:30.123+01:00", Some(1_795_256_130_123)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2026-11-21", None),
            ("2026-13-21T10:15:30Z", None),
            ("yesterday, at about ten", None),
            ("äöüäöüäöüäöüäöüäöü", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn time_never_goes_back() {
        let mut times = Times::default();
        let at = |times: &mut Times, text: &str| times.of(Some(&Value::from(text)));
        assert_eq!(at(&mut times, "2026-11-21T10:15:30Z"), 0);
        assert_eq!(at(&mut times, "2026-11-21T10:15:31Z"), 1000);
        assert_eq!(at(&mut times, "2026-11-21T10:15:29Z"), 1000);
        assert_eq!(at(&mut times, "nonsense"), 1000);
        assert_eq!(times.of(None), 1000);
    }
}
