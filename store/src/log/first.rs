//! The file that says which segment is the oldest, so that the loss of it is noticed: a log without its first segments
//! looks like one that was cleaned.
//!
//! ```text
//! DIR/first   0 magic "ARCHFRST" 8 · log id 8 · sequence 8 · crc32 of bytes 0..24 4
//! ```
//!
//! It is durable before the first segment is made, and moves on before a segment is taken away. So the oldest segment
//! is never newer than it says; after a crash in between it may be one older, which is as good as not cleaned yet.

use crate::disk::Disk;
use std::io;
use std::path::Path;

/// Its name.
pub(crate) const FIRST_NAME: &str = "first";
const FIRST_NEW_NAME: &str = "first.new";
const FIRST_BYTES: usize = 28;
const MAGIC: &[u8; 8] = b"ARCHFRST";

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct First {
    pub(crate) log_id: u64,
    /// No segment below it is needed, and none from it on may be missing.
    pub(crate) sequence: u64,
}

impl First {
    /// Replaces the file durably, in one step.
    pub(crate) fn write(self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let new = dir.join(FIRST_NEW_NAME);
        match disk.remove(&new) {
            // What a crash left.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = disk.create(&new)?;
        file.write_all_at(&self.encode(), 0)?;
        file.sync_data()?;
        disk.rename(&new, &dir.join(FIRST_NAME))?;
        disk.sync_dir(dir)
    }

    /// Reads the file; None if it does not hold what [`First::write`] wrote.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<First>> {
        let file = disk.open(&dir.join(FIRST_NAME))?;
        if file.bytes()? != FIRST_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; FIRST_BYTES];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(First::decode(&bytes))
    }

    fn encode(self) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &self.log_id.to_le_bytes(), &self.sequence.to_le_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<First> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let (magic, numbers) = body.split_first_chunk::<8>()?;
        let (log_id, sequence) = numbers.split_first_chunk::<8>()?;
        let valid = magic == MAGIC && u32::from_le_bytes(*crc) == crc32fast::hash(body);
        let first =
            First { log_id: u64::from_le_bytes(*log_id), sequence: u64::from_le_bytes(sequence.try_into().ok()?) };
        valid.then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    #[test]
    fn it_is_replaced_in_one_step_and_every_changed_bit_is_seen() {
        let (disk, dir) = (SimulatedDisk::new(1), Path::new("/log"));
        assert!(First::read(&disk, dir).is_err());
        for sequence in [1, 7] {
            let first = First { log_id: 9, sequence };
            first.write(&disk, dir).unwrap();
            disk.crash();
            assert_eq!(First::read(&disk, dir).unwrap(), Some(first));
        }
        for bit in 0..FIRST_BYTES * 8 {
            let damaged = disk.image();
            damaged.flip_bit(&dir.join(FIRST_NAME), bit as u64 / 8, bit as u8 % 8).unwrap();
            assert_eq!(First::read(&damaged, dir).unwrap(), None, "bit {bit}");
        }
    }
}
