//! Compiles the protos with protox: no protoc on the machine is needed.

use std::error::Error;

/// Every proto of the process. Messages are compiled into modules named after their package.
const PROTOS: &[&str] = &["etcd/rpc.proto", "archipel/link.proto", "archipel/peer.proto", "archipel/admin.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    // `bytes::Bytes` for every bytes field: keys, values and encoded versions are shared, not copied.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
