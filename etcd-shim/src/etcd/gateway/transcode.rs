//! JSON to messages and back, as etcd's gateway does it: names as in the protos, 64-bit numbers as strings, bytes in base64,
//! enums by name, nothing for a field that is not set; unknown fields are ignored.

use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::de::IgnoredAny;
use tonic::{Code, Status};

/// Descriptors of etcd's services, made by the build script.
pub(in crate::etcd) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/etcd.descriptors"));

/// One method's shape.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
    pub(super) streams_in: bool,
    pub(super) streams_out: bool,
}

/// The shape of `package.Service/Method`; None if this server does not have it.
pub(super) fn shape(pool: &DescriptorPool, method: &str) -> Option<Shape> {
    let (service, name) = method.split_once('/')?;
    let service = pool.get_service_by_name(service)?;
    let method = service.methods().find(|method| method.name() == name)?;
    Some(Shape {
        input: method.input(),
        output: method.output(),
        streams_in: method.is_client_streaming(),
        streams_out: method.is_server_streaming(),
    })
}

/// The first JSON document of `text` as an encoded message, and where it ends; None if it is not whole yet.
///
/// # Errors
/// It is no JSON, or not of this message.
pub(super) fn message(descriptor: &MessageDescriptor, text: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Status> {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let end = match documents.next() {
        None => return Ok(None),
        Some(Ok(IgnoredAny)) => documents.byte_offset(),
        Some(Err(error)) if error.is_eof() => return Ok(None),
        Some(Err(error)) => return Err(invalid(&error)),
    };
    let mut document = serde_json::Deserializer::from_slice(text.get(..end).unwrap_or_default());
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(descriptor.clone(), &mut document, &options);
    message.map(|message| Some((message.encode_to_vec(), end))).map_err(|error| invalid(&error))
}

fn invalid(error: &serde_json::Error) -> Status {
    Status::invalid_argument(error.to_string())
}

/// An encoded message as JSON.
///
/// # Errors
/// The message is not what its descriptor says.
pub(super) fn json(descriptor: &MessageDescriptor, message: &[u8]) -> Result<Vec<u8>, Status> {
    let refused = |error: &dyn std::fmt::Display| Status::internal(format!("archipel: {error}"));
    let message = DynamicMessage::decode(descriptor.clone(), message).map_err(|error| refused(&error))?;
    let mut serializer = serde_json::Serializer::new(Vec::new());
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(true);
    message.serialize_with_options(&mut serializer, &options).map_err(|error| refused(&error))?;
    Ok(serializer.into_inner())
}

/// A refusal as JSON (github.com/grpc-ecosystem/grpc-gateway: google.rpc.Status).
pub(super) fn refusal(status: &Status) -> serde_json::Value {
    serde_json::json!({ "code": i32::from(status.code()), "message": status.message() })
}

/// The HTTP status of a code (grpc-gateway's HTTPStatusFromCode).
pub(super) fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::paths::PATHS, *};

    fn pool() -> DescriptorPool {
        DescriptorPool::decode(DESCRIPTORS).unwrap()
    }

    fn there_and_back(method: &str, text: &str) -> String {
        let input = shape(&pool(), method).unwrap().input;
        let (bytes, end) = message(&input, text.as_bytes()).unwrap().unwrap();
        assert_eq!(end, text.len());
        String::from_utf8(json(&input, &bytes).unwrap()).unwrap()
    }

    #[test]
    fn numbers_bytes_and_enums_are_etcds() {
        let text = r#"{"key":"Zm9v","limit":"5","sort_order":"DESCEND","serializable":true}"#;
        assert_eq!(there_and_back("etcdserverpb.KV/Range", text), text);
        let mixed = r#"{"key":"Zm9v","rangeEnd":"Zm9w","limit":5,"sort_order":2,"unheard_of":{"a":[1]}}"#;
        let canonical = r#"{"key":"Zm9v","range_end":"Zm9w","limit":"5","sort_order":"DESCEND"}"#;
        assert_eq!(there_and_back("etcdserverpb.KV/Range", mixed), canonical);
        assert_eq!(there_and_back("etcdserverpb.Lease/LeaseGrant", r#"{"TTL":1,"ID":7}"#), r#"{"TTL":"1","ID":"7"}"#);
    }

    #[test]
    fn versions_are_messages_here() {
        let output = shape(&pool(), "etcdserverpb.KV/Range").unwrap().output;
        let text = r#"{"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1","value":"MQ=="}],"count":"1"}"#;
        let (bytes, _) = message(&output, text.as_bytes()).unwrap().unwrap();
        assert_eq!(String::from_utf8(json(&output, &bytes).unwrap()).unwrap(), text);
    }

    #[test]
    fn half_a_document_waits_and_a_wrong_one_is_refused() {
        let input = shape(&pool(), "etcdserverpb.Watch/Watch").unwrap().input;
        assert!(message(&input, b"").unwrap().is_none());
        assert!(message(&input, br#" {"create_request":{"key""#).unwrap().is_none());
        assert_eq!(message(&input, b"garbage").unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(message(&input, br#"{"create_request":5}"#).unwrap_err().code(), Code::InvalidArgument);
        let (_, end) = message(&input, br#"{"progress_request":{}}{"cancel_request":"#).unwrap().unwrap();
        assert_eq!(end, 23);
    }

    #[test]
    fn every_path_is_a_method_and_every_method_but_one_has_a_path() {
        let pool = pool();
        let has_path = |name: &str| PATHS.iter().any(|(_, method)| *method == name);
        let methods = pool.services().flat_map(|service| {
            let service_name = service.full_name().to_owned();
            let names: Vec<String> =
                service.methods().map(|method| format!("{service_name}/{}", method.name())).collect();
            names
        });
        let without: Vec<String> = methods.filter(|method| !has_path(method)).collect();
        assert_eq!(without, ["etcdserverpb.KV/RangeStream"]);
    }
}
