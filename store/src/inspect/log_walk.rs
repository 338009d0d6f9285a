//! Walks the whole log, oldest segment first, past whatever is damaged. One frame is in memory at a time.

use super::directory::Directory;
use super::scan::{Gap, Scan, Step};
use crate::log::{Flip, Frame, LogPoint, Progress, Torn};
use std::ops::ControlFlow;

/// What lies in the log.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A frame.
    Frame(&'a Frame),
    /// A damaged part.
    Gap(&'a Gap),
    /// A bit that flipped in the last record, which follows.
    Flipped(Flip),
    /// The end of an unfinished batch; nothing follows.
    Torn(Torn),
    /// The log ends here; nothing follows.
    End(LogPoint),
}

/// Shows everything, or what may hold records at or above a revision, until the visitor breaks.
pub(super) fn walk(
    directory: &Directory,
    from_revision: i64,
    progress: &mut dyn FnMut(Progress),
    visit: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
) {
    let mut told = Progress { done_bytes: 0, total_bytes: directory.file_bytes() };
    let mut nexts = directory.segments.iter().skip(1);
    for found in &directory.segments {
        let next = nexts.next();
        let segment = &found.segment;
        let done_before = told.done_bytes;
        told.done_bytes += u64::from(segment.header.capacity);
        // Its header says what the revision was when the next segment began.
        if next.is_some_and(|next| !next.headless && next.segment.header.revision < from_revision) {
            continue;
        }
        let mut scan = if found.headless { Scan::headless } else { Scan::new }(segment, found.ends_at);
        loop {
            let shown = match scan.step() {
                Step::Frame(frame) => visit(Item::Frame(&frame)),
                Step::Damaged(gap) => visit(Item::Gap(&gap)),
                Step::Flipped(flip) => visit(Item::Flipped(flip)),
                Step::End { torn_bytes } => {
                    let at = scan.place().0;
                    if next.is_none() {
                        let last =
                            if torn_bytes > 0 { Item::Torn(Torn { at, bytes: torn_bytes }) } else { Item::End(at) };
                        let _ = visit(last);
                    }
                    break;
                }
            };
            if shown.is_break() {
                return;
            }
            progress(Progress { done_bytes: done_before + u64::from(scan.place().0.offset), ..told });
        }
        progress(told);
    }
}
