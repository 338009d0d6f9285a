//! The product's binary, unchanged. It is here because cargo tells an integration test only where the binaries of its
//! own package are.

use std::process::ExitCode;

fn main() -> ExitCode {
    archipel::run()
}
