//! The binary `archipel`.

use std::process::ExitCode;

fn main() -> ExitCode {
    archipel::run()
}
