//! What one durable write of this disk takes at least: a record appended to a zero-filled file, and `fdatasync`.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::server::Folder;

/// A put of 1 KiB with its key and head.
const RECORD_BYTES: usize = 1_104;
const RECORDS: usize = 2_000;
/// A slow disk is not asked all of them.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Times of one record, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SyncTimes {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Measures on the disk that holds `parent`.
///
/// # Errors
/// The file cannot be written or synced.
pub(crate) fn sync_probe(parent: &Path) -> Result<SyncTimes> {
    let folder = Folder::new(parent)?;
    let file = File::create(folder.path().join("probe"))?;
    // Blocks that exist and hold zeros: a sync then writes data and no metadata.
    file.write_all_at(&vec![0; RECORD_BYTES * RECORDS], 0)?;
    file.sync_all()?;
    let mut times_ns = Histogram::<u64>::new(3).map_err(std::io::Error::other)?;
    let record = [7; RECORD_BYTES];
    let start = Instant::now();
    for number in 0..RECORDS {
        let began = Instant::now();
        let offset = u64::try_from(number * RECORD_BYTES).expect("invariant: usize has at most 64 bits");
        file.write_all_at(&record, offset)?;
        file.sync_data()?;
        let elapsed_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        times_ns.record(elapsed_ns).map_err(std::io::Error::other)?;
        if start.elapsed() > TIME_MAX {
            break;
        }
    }
    let at = |quantile| times_ns.value_at_quantile(quantile) as f64 / 1e6;
    Ok(SyncTimes { p50_ms: at(0.5), p99_ms: at(0.99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let parent = std::env::temp_dir().join(format!("bench-sync-test-{}", std::process::id()));
        let times = sync_probe(&parent).unwrap();
        assert!(times.p50_ms > 0.000_1 && times.p99_ms >= times.p50_ms);
        std::fs::remove_dir(parent).unwrap();
    }
}
