//! Kubernetes' times: RFC 3339 in JSON, seconds and nanoseconds in protobuf.

use std::fmt::Write;

const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z: Go's zero time, which Kubernetes takes for absence.
pub(super) const ZERO_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, the last one that RFC 3339 can spell.
const LAST_SECONDS: i64 = 253_402_300_799;

/// The text of `metav1.Time` for whole seconds since 1970, as in `metadata.deletionTimestamp`; the last second of year
/// 9999 for anything later.
pub fn time_text(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(LAST_SECONDS).min(LAST_SECONDS);
    format(seconds, None).expect("invariant: a second from 1970 to 9999 has a text")
}

/// The one spelling that trees use: UTC, whole seconds, or microseconds with all six digits. None outside years 1 to 9999.
pub(super) fn format(seconds: i64, micros: Option<u32>) -> Option<String> {
    if !(ZERO_SECONDS..=LAST_SECONDS).contains(&seconds) {
        return None;
    }
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if let Some(micros) = micros {
        let _ = write!(text, ".{micros:06}");
    }
    text.push('Z');
    Some(text)
}

/// Reads RFC 3339 with any offset and fraction: seconds since 1970 and microseconds (what is finer is cut off).
pub(super) fn parse(text: &str) -> Option<(i64, u32)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let mark = |at: usize, wanted: u8| (bytes.get(at) == Some(&wanted)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    mark(4, b'-').and(mark(7, b'-')).and(mark(10, b'T')).and(mark(13, b':')).and(mark(16, b':'))?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut micros = 0;
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        let digits = bytes.get(at + 1..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let kept: String = text.get(at + 1..at + 1 + digits.min(6))?.to_owned();
        micros = format!("{kept:0<6}").parse().ok()?;
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 => {
            mark(at + 3, b':')?;
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    Some((seconds, micros))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; the year is counted from March, so that the leap day is
/// its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_calendar_survives() {
        for day in (ZERO_SECONDS / SECONDS_PER_DAY..LAST_SECONDS / SECONDS_PER_DAY).step_by(13) {
            let seconds = day * SECONDS_PER_DAY + 3_723;
            let text = format(seconds, Some(70)).expect("in range");
            assert_eq!(parse(&text), Some((seconds, 70)), "{text}");
        }
    }

    #[test]
    fn offsets_and_fractions_are_normalised() {
        let (seconds, micros) = parse("2026-02-28T23:30:00.1234567-01:30").expect("valid");
        assert_eq!(format(seconds, Some(micros)).as_deref(), Some("2026-03-01T01:00:00.123456Z"));
        assert_eq!(format(0, None).as_deref(), Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-02-03T24:00:00Z",
            "2026-02-03 00:00:00Z",
            "2026-02-03T00:00:00",
            "2026-02-03T00:00:00.Z",
            "2026-02-03T00:00:00+1:00",
            "+026-02-03T00:00:00Z",
            "20é6-02-03T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
