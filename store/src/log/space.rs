//! Whether the disk has room for what the log may still have to write: known before it is full.
//!
//! What lies below the reserve is for what makes room: deletes, compaction, and cleaning, which copies before it frees.

use super::segments::Segments;
use crate::limits::{DISK_RESERVE_BYTES_MIN, DISK_RESERVE_SEGMENTS};
use std::sync::{Mutex, PoisonError};

/// See the module. Looked at now and then, and asked at any time.
#[derive(Debug, Default)]
pub(crate) struct Space(Mutex<Option<String>>);

impl Space {
    /// Why nothing that grows the store may be written; None: there is room.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, refusal: Option<String>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (kept.as_deref(), refusal.as_deref()) {
            (None, Some(reason)) => tracing::error!(reason, "the disk is nearly full; writes are refused"),
            (Some(_), None) => tracing::info!("the disk has room again; writes are taken"),
            _ => {}
        }
        *kept = refusal;
    }
}

impl Segments {
    /// Looks how much room there is.
    pub(crate) fn look_at_space(&self) {
        let reserve = reserve_bytes(self.options.segment_bytes);
        match self.disk.free_space(&self.dir) {
            Ok(free) if free >= reserve => self.space.set(None),
            Ok(free) => self.space.set(Some(format!(
                "{} has {free} bytes free of the {reserve} that the commit log needs in reserve; free disk space, or \
                 delete keys and compact, then disarm the alarm",
                self.dir.display()
            ))),
            // A disk that cannot say it is not for that reason full.
            Err(error) => tracing::debug!(%error, "the free space of the disk is unknown"),
        }
    }
}

/// What is kept free: the segments that the log may begin before a compaction helps, and a checkpoint of the index.
pub(crate) fn reserve_bytes(segment_bytes: u32) -> u64 {
    (DISK_RESERVE_SEGMENTS * u64::from(segment_bytes)).max(DISK_RESERVE_BYTES_MIN)
}
