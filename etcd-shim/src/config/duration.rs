//! Durations as Go writes them.

use std::time::Duration;

/// Parses a duration that is not negative: numbers with units, such as `1h30m` or `1.5s`; `0` needs no unit
/// (Go time.ParseDuration).
///
/// # Errors
/// A sentence that says how to write one.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is not a duration: write 300ms, 5s or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total_s = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let digits = rest.find(|letter| !is_number(letter)).ok_or_else(refused)?;
        let (number, tail) = rest.split_at(digits);
        let unit_length = tail.find(is_number).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_length);
        let unit_s = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(refused()),
        };
        total_s += number.parse::<f64>().map_err(|_| refused())? * unit_s;
        rest = next;
    }
    if text.is_empty() {
        return Err(refused());
    }
    Duration::try_from_secs_f64(total_s).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let parsed = |text| parse_duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(parsed("5s"), Some(5000));
        assert_eq!(parsed("1h30m"), Some(5_400_000));
        assert_eq!(parsed("500ms"), Some(500));
        assert_eq!(parsed("1.5s"), Some(1500));
        assert_eq!(parsed("0"), Some(0));
        for wrong in ["", "5", "s", "5 s", "5x", "-5s"] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
