//! Scripts of watch streams: opened, filled with watches, asked, cancelled and closed while the other requests go on.

use super::{
    super::{
        random::Random,
        relative::{COMPACTED, CURRENT},
        request::{Request, WatchAction},
    },
    keys,
};
use crate::client::wire::WatchCreateRequest;

/// Streams that are open at a time.
const SLOTS: usize = 3;
/// The slot whose watches may start in the future: progress is not promised there.
const FUTURE_SLOT: usize = 2;
/// One action on a stream comes in so many requests.
const ONCE_IN: u64 = 60;
/// Actions on a stream before it is closed.
const ACTIONS: usize = 7;

/// Which streams are open, and how much was done on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    actions: [usize; SLOTS],
}

impl Watches {
    /// An action, if it is time for one.
    pub(super) fn due(&mut self, random: &mut Random) -> Option<Request> {
        if !random.once_in(ONCE_IN) {
            return None;
        }
        let slot = random.below(SLOTS);
        let done = self.actions.get_mut(slot)?;
        *done += 1;
        let action = match *done {
            1 => WatchAction::Open,
            n if n > ACTIONS => {
                *done = 0;
                WatchAction::Close
            }
            _ => action(random, slot),
        };
        Some(Request::Watch { slot, action })
    }
}

fn action(random: &mut Random, slot: usize) -> WatchAction {
    match random.weighted(&[70, 18, 12]) {
        0 => WatchAction::Create(create(random, slot == FUTURE_SLOT)),
        1 => WatchAction::Cancel(if random.percent(80) { random.between(0, 4) } else { random.pick(&[-1, 99, 1000]) }),
        _ => WatchAction::Progress,
    }
}

fn create(random: &mut Random, future: bool) -> WatchCreateRequest {
    let (key, range_end) = keys::interval(random);
    let start_revision = match random.weighted(&[35, 40, 12, 3]) {
        _ if future => CURRENT + random.between(1, 60),
        0 => 0,
        1 => CURRENT - random.between(-1, 40),
        2 => COMPACTED + random.between(-2, 3),
        _ => random.pick(&[-1, i64::MIN, 1]),
    };
    let filters = match random.weighted(&[80, 8, 8, 4]) {
        0 => vec![],
        1 => vec![0],
        2 => vec![1],
        _ => vec![0, 1, 7],
    };
    WatchCreateRequest {
        key,
        range_end,
        start_revision,
        progress_notify: false,
        filters,
        prev_kv: random.percent(50),
        watch_id: if random.percent(85) { 0 } else { random.between(1, 6) },
        fragment: random.percent(20),
    }
}
