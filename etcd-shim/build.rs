//! Compiles the protos with protox: no protoc on the machine is needed.

use prost_types::{FileDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};
use std::{env, error::Error, fs, path::Path};

/// The protos that stand alone. Messages are compiled into modules named after their package.
const PROTOS: &[&str] = &["etcd/rpc.proto", "archipel/link.proto", "archipel/peer.proto", "archipel/admin.proto"];
/// The protos whose messages use those of etcd's main package.
const ON_ETCD: &[&str] = &["etcd/lock.proto", "etcd/election.proto"];
/// Names of the fields that hold an encoded `mvccpb.KeyValue`.
const VERSIONS: &[&str] = &["kv", "kvs", "prev_kv", "prev_kvs"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let compile = |protos: &[&str]| protox::compile(protos, ["proto"]);
    // First, because it writes a file for etcd's main package too, which the second replaces.
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".etcdserverpb", "crate::etcd::wire")
        .compile_fds(compile(ON_ETCD)?)?;
    // `bytes::Bytes` for every bytes field: keys, values and encoded versions are shared, not copied.
    tonic_prost_build::configure().bytes(".").compile_fds(compile(PROTOS)?)?;
    let etcd = as_clients_know_it(compile(&["etcd/kv.proto", "etcd/lock.proto", "etcd/election.proto"])?);
    let file = Path::new(&env::var("OUT_DIR")?).join("etcd.descriptors");
    Ok(fs::write(file, prost::Message::encode_to_vec(&etcd))?)
}

/// The descriptors that reflection and the JSON gateway use: what the source declares as bytes, so that it is copied, is
/// a message of etcd's own package again. Nothing changes on the wire.
fn as_clients_know_it(mut set: FileDescriptorSet) -> FileDescriptorSet {
    for file in &mut set.file {
        let package = file.package().to_owned();
        if package == "mvccpb" {
            continue;
        }
        let mut uses_versions = false;
        for field in file.message_type.iter_mut().flat_map(|message| &mut message.field) {
            if field.r#type() == Type::Bytes && VERSIONS.contains(&field.name()) {
                field.set_type(Type::Message);
                field.type_name = Some(".mvccpb.KeyValue".to_owned());
                if field.proto3_optional.take().is_some() {
                    field.oneof_index = None;
                }
                uses_versions = true;
            }
            if field.type_name() == ".etcdserverpb.Event" {
                field.type_name = Some(".mvccpb.Event".to_owned());
            }
        }
        file.message_type.retain(|message| package != "etcdserverpb" || message.name() != "Event");
        if uses_versions {
            forget_synthetic_oneofs(file);
            file.dependency.push("etcd/kv.proto".to_owned());
        }
    }
    set
}

/// `optional` makes a oneof of its own for each field; a message field needs none.
fn forget_synthetic_oneofs(file: &mut FileDescriptorProto) {
    for message in &mut file.message_type {
        let used: Vec<i32> = message.field.iter().filter_map(|field| field.oneof_index).collect();
        // Synthetic oneofs come after all others, so the indices of the others stand.
        let mut index = -1;
        message.oneof_decl.retain(|_| {
            index += 1;
            used.contains(&index)
        });
    }
}
