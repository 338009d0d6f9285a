//! `--auto-compaction-mode` and `--auto-compaction-retention` (etcd: server/embed/etcd.go, parseCompactionRetention).

use super::{ConfigError, parse_duration};
use std::time::Duration;

/// How much history is kept without anybody asking for a compaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AutoCompaction {
    /// All of it.
    Off,
    /// That of this much time, about.
    Periodic(Duration),
    /// This many revisions.
    Revisions(i64),
}

impl AutoCompaction {
    /// Reads the two flags. A plain number means hours in the periodic mode, and revisions in the other; 0 = off.
    ///
    /// # Errors
    /// An unknown mode; a retention that is neither a number nor, in the periodic mode, a duration.
    pub fn parse(mode: &str, retention: &str) -> Result<AutoCompaction, ConfigError> {
        let refused = || ConfigError::CompactionRetention(retention.to_owned());
        let number = retention.parse::<u32>().ok();
        let parsed = match mode {
            "periodic" => match number {
                Some(hours) => AutoCompaction::Periodic(Duration::from_secs(u64::from(hours) * 3600)),
                None => AutoCompaction::Periodic(parse_duration(retention).map_err(|_| refused())?),
            },
            "revision" => {
                AutoCompaction::Revisions(retention.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(refused)?)
            }
            _ => return Err(ConfigError::CompactionMode(mode.to_owned())),
        };
        Ok(match parsed {
            AutoCompaction::Periodic(Duration::ZERO) | AutoCompaction::Revisions(0) => AutoCompaction::Off,
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_hours_or_revisions() {
        let parse = |mode, retention| AutoCompaction::parse(mode, retention).ok();
        assert_eq!(parse("periodic", "0"), Some(AutoCompaction::Off));
        assert_eq!(parse("periodic", "1"), Some(AutoCompaction::Periodic(Duration::from_secs(3600))));
        assert_eq!(parse("periodic", "5m"), Some(AutoCompaction::Periodic(Duration::from_secs(300))));
        assert_eq!(parse("revision", "1000"), Some(AutoCompaction::Revisions(1000)));
        assert_eq!(parse("revision", "0"), Some(AutoCompaction::Off));
        for (mode, retention) in
            [("revision", "5m"), ("periodic", "-1"), ("revision", "-1"), ("hourly", "1"), ("periodic", "")]
        {
            assert_eq!(parse(mode, retention), None, "{mode} {retention}");
        }
    }
}
