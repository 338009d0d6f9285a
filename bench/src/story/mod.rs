//! What a window of requests cannot show: one file a story. Each starts a server, does something to it that takes long, and
//! says what it found.

mod background;
mod idle_watchers;
mod keys;
mod rewrites;
mod small_memory;

use std::path::Path;
use std::time::Duration;

use archipel::demo::kubernetes::Progress;

use crate::compare::{RoundError, Values};
use crate::load::Measurement;
use crate::server::{Found, Running};
use crate::workload::{RESOURCE, fill};

/// Parts in which a store is filled, for the progress line.
const FILL_PARTS: u64 = 50;
/// Memory is read when what the load has left behind is done.
const SETTLE: Duration = Duration::from_secs(3);

/// Where a story plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) program: &'a Found,
    pub(crate) folder: &'a Path,
}

pub(crate) type Story = fn(&Stage<'_>) -> Result<Values, RoundError>;

/// The stories: their name on the command line, what they are, whether they are told without being asked for.
pub(crate) const STORIES: [(&str, &str, bool, Story); 6] = [
    ("idle-watchers", "10,000 idle watchers on 10 streams", true, idle_watchers::tell),
    ("background", "puts while compaction, defragmentation and snapshots run", true, background::tell),
    ("keys-100k", "100,000 x 1 KiB: load, memory, pages, crash and cold restart", true, keys::tell_100k),
    ("keys-1m", "1,000,000 x 1 KiB: load, memory, pages, crash and cold restart", false, keys::tell_1m),
    ("rewrites", "100,000 x 1 KiB rewritten 10 times, and compacted", false, rewrites::tell),
    ("small-memory", "2 GiB in values of 4 KiB within 512 MiB of memory", false, small_memory::tell),
];

impl Stage<'_> {
    fn start(&self) -> Result<Running, RoundError> {
        Ok(Running::start(self.program, self.folder)?)
    }

    /// Fills the store of `server` with objects, which takes a while; how many a second.
    fn fill(&self, server: &Running, keys: u64, value_bytes: usize) -> Result<f64, RoundError> {
        let progress = Progress::new(format!("{}: filling with {keys} x {value_bytes} B", self.program.name()));
        let part = keys.div_ceil(FILL_PARTS);
        let mut first = 0;
        let mut seconds = 0.0;
        while first < keys {
            let count = part.min(keys - first);
            let measurement: Measurement = server.exhaust(fill(RESOURCE, first, count, value_bytes))?;
            seconds += measurement.elapsed.as_secs_f64();
            first += count;
            progress.update(&format!("{} %", first * 100 / keys));
        }
        let rate = keys as f64 / seconds;
        progress.finish(&format!("{rate:.0} keys/s"));
        Ok(rate)
    }
}
