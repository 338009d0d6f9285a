//! Hybrid logical time: orders concurrent writes, and nothing else (merge-time tie-break).

/// A hybrid logical clock reading: 48 bits of Unix milliseconds above 16 bits of counter.
///
/// Causally later readings are always greater, whatever the wall clocks say, because [`Hlc::tick`] exceeds every
/// reading that was observed before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The reading for a new local write, given the last reading seen or issued here and the wall clock.
    pub fn tick(last: Hlc, unix_ms: u64) -> Hlc {
        let wall = Hlc(unix_ms << 16);
        if wall > last { wall } else { Hlc(last.0 + 1) }
    }

    /// The wall-clock part, in milliseconds since the Unix epoch.
    pub fn unix_ms(self) -> u64 {
        self.0 >> 16
    }
}
