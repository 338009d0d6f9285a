//! Keys as Kubernetes makes them, values that do not compress, and cheap random numbers.

use std::sync::LazyLock;

/// Namespaces over which the objects are spread.
const NAMESPACES: u64 = 100;
/// Random bytes from which the values are cut.
const BLOCK_BYTES: usize = 65_536;

/// A small generator (SplitMix64): the same seed gives the same requests on every machine and for every server.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0xd129_0fda_35c8_52e5).wrapping_add(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, evenly enough for bounds far below 2^64.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One block for all clients: it stays in the processor's cache.
static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random::new(0);
    (0..BLOCK_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect()
});

/// Values of one size: each is another window of one random block, so none is like another and making one is a copy.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: usize,
    offset: usize,
}

impl Payload {
    /// Values of `bytes` bytes, at most half of the block.
    pub(super) fn new(seed: u64, bytes: usize) -> Payload {
        debug_assert!(bytes * 2 <= BLOCK_BYTES);
        let windows = u64::try_from(BLOCK_BYTES - bytes).expect("invariant: usize has at most 64 bits");
        let offset = usize::try_from(Random::new(seed).below(windows)).expect("invariant: below a usize");
        Payload { bytes, offset }
    }

    pub(super) fn next(&mut self) -> &'static [u8] {
        self.offset = (self.offset + 1) % (BLOCK_BYTES - self.bytes);
        BLOCK.get(self.offset..self.offset + self.bytes).unwrap_or_default()
    }
}

/// Writes the key of object `number` of a resource: `/registry/pods/namespace-007/pods-0000000107`.
pub(super) fn write_key(key: &mut Vec<u8>, resource: &str, number: u64) {
    key.clear();
    key.extend(b"/registry/");
    key.extend(resource.as_bytes());
    key.extend(b"/namespace-");
    put_digits(key, number % NAMESPACES, 3);
    key.push(b'/');
    key.extend(resource.as_bytes());
    key.push(b'-');
    put_digits(key, number, 10);
}

fn put_digits(output: &mut Vec<u8>, number: u64, count: u32) {
    for power in (0..count).rev() {
        let [digit, ..] = (number / 10_u64.pow(power) % 10).to_le_bytes();
        output.push(b'0' + digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_look_like_those_of_kubernetes() {
        let mut key = b"left over".to_vec();
        write_key(&mut key, "pods", 1_234_567_107);
        assert_eq!(key, b"/registry/pods/namespace-007/pods-1234567107");
    }

    #[test]
    fn values_differ_and_have_their_size() {
        let mut payload = Payload::new(7, 256);
        let first = payload.next().to_vec();
        assert_eq!(first.len(), 256);
        for _ in 0..3 * BLOCK_BYTES {
            assert_eq!(payload.next().len(), 256);
        }
        assert_ne!(payload.next(), first);
        let mut other = Payload::new(8, 256);
        assert_ne!(other.next(), first);
    }

    #[test]
    fn a_seed_gives_the_same_numbers_each_time() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..4).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert!(numbers(3).iter().all(|number| *number < 1_000));
    }
}
