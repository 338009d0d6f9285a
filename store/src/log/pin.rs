//! Keeps freed segments readable for whoever still holds positions in them.
//!
//! Time is cut into eras: freeing a segment ends one. An era that ended holds the segment whose freeing ended it, and
//! the era after it. Whoever pins an era therefore holds every segment that was freed since, and nothing else: a freed
//! file is recycled once all pins that are older than its freeing are gone.
//!
//! ```text
//! pin ─► era 7 ─► era 8 ─► era 9 (now)
//!          │        │
//!      segment 3  segment 4      freed, not overwritten yet
//! ```

use super::segments::Segment;
use std::sync::{Arc, OnceLock};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Era {
    ended: OnceLock<Ended>,
}

#[derive(Debug)]
struct Ended {
    freed: Arc<Segment>,
    next: Arc<Era>,
}

impl Era {
    /// Ends the era by a segment's freeing and returns the one that begins. Once.
    pub(crate) fn end(&self, freed: Arc<Segment>) -> Arc<Era> {
        let next = Arc::new(Era::default());
        let first = self.ended.set(Ended { freed, next: Arc::clone(&next) }).is_ok();
        debug_assert!(first, "an era ends once");
        next
    }

    /// A segment that was freed in this era or later.
    pub(crate) fn freed(&self, sequence: u64) -> Option<Arc<Segment>> {
        let mut ended = self.ended.get();
        while let Some(Ended { freed, next }) = ended {
            if freed.header.sequence == sequence {
                return Some(Arc::clone(freed));
            }
            ended = next.ended.get();
        }
        None
    }
}

/// In a loop: an old pin may hold a chain that is too long for the stack.
impl Drop for Era {
    fn drop(&mut self) {
        let mut ended = self.ended.take();
        while let Some(Ended { next, .. }) = ended {
            ended = Arc::into_inner(next).and_then(|mut era| era.ended.take());
        }
    }
}
