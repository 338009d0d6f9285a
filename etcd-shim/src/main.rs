//! The binary `archipel`.

use std::process::ExitCode;

/// Requests are small and come from several threads: jemalloc takes a tenth less processor time than glibc's, and does
/// not keep what a burst left behind.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    archipel::run()
}
