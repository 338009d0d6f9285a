//! What `--auto-compaction-mode` and `--auto-compaction-retention` say together.

use super::{ConfigError, Values, duration::parse_duration};
use std::time::Duration;

/// Seconds of the hours that a bare number means.
const HOUR_S: u64 = 60 * 60;

/// When history is compacted without being asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AutoCompaction {
    /// Never.
    Off,
    /// What is older than this.
    Periodic(Duration),
    /// What is more than this many revisions back.
    Revisions(i64),
}

impl AutoCompaction {
    /// From the two flags. A bare number is hours or revisions (etcd server/embed/etcd.go, `parseCompactionRetention`).
    ///
    /// # Errors
    /// The retention does not fit the mode.
    pub(super) fn parse(values: &Values) -> Result<AutoCompaction, ConfigError> {
        let retention = values.text("auto-compaction-retention");
        let refused = || ConfigError::Retention(retention.to_owned());
        let number = retention.parse::<u64>().ok();
        if values.text("auto-compaction-mode") == "revision" {
            let revisions = number.and_then(|number| i64::try_from(number).ok()).ok_or_else(refused)?;
            return Ok(if revisions == 0 { AutoCompaction::Off } else { AutoCompaction::Revisions(revisions) });
        }
        let period = match number {
            Some(hours) => Duration::from_secs(hours.checked_mul(HOUR_S).ok_or_else(refused)?),
            None => parse_duration(retention).map_err(|_| refused())?,
        };
        Ok(if period.is_zero() { AutoCompaction::Off } else { AutoCompaction::Periodic(period) })
    }
}
