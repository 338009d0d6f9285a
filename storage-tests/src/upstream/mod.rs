//! Suites that others wrote, from their published Go modules and unmodified, against a server program of ours. What each
//! test does on real etcd is written down in `upstream/*/expected.tsv`, and every difference to it is a failure.
//!
//! **Invariants**: only published modules are built, at the versions and digests of the go.mod and go.sum here; what is
//! generated lies in cargo's target folder. **Not here**: any file of those suites.

mod expected;
mod go;
mod judge;
mod one_node;
mod suite;
mod transcript;

pub use expected::{Expected, Verdict, Verdicts};
pub use go::{GoError, Program, go_program, program, program_or_skip};
pub use judge::{Board, Judge, Judged};
pub use suite::{SUITES, Suite};
