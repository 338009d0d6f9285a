//! A reply as a list of fields with their paths, for what is shown and for what `explained` matches.

use super::{
    reply::Reply,
    watch::{Note, StreamReply},
};
use crate::client::{
    kv,
    wire::{
        DeleteRangeResponse, Event, PutResponse, RangeResponse, ResponseHeader, TxnResponse, response_op::Response,
    },
};
use bytes::Bytes;
use std::fmt::Debug;

/// Longest value that is shown whole, in characters.
const SHOWN_MAX: usize = 120;

/// Path and value.
pub(super) type Field = (String, String);

/// The fields of a reply.
#[must_use]
pub(super) fn fields(reply: &Reply) -> Vec<Field> {
    let mut out = Fields::default();
    match reply {
        Reply::Error { code, text } => {
            out.add("error.code", code);
            out.text("error.text", text);
        }
        Reply::Range(reply) => out.range("", reply),
        Reply::RangeStream { whole, chunk_keys } => {
            out.range("", whole);
            out.add("chunk_keys", chunk_keys);
        }
        Reply::Put(reply) => out.put("", reply),
        Reply::DeleteRange(reply) => out.delete_range("", reply),
        Reply::Txn(reply) => out.txn("", reply),
        Reply::Compact(reply) => out.header("", reply.header.as_ref()),
        Reply::LeaseGrant(reply) => {
            out.header("", reply.header.as_ref());
            out.add("ID", reply.id);
            out.add("TTL", reply.ttl);
            out.text("error", &reply.error);
        }
        Reply::LeaseRevoke(reply) => out.header("", reply.header.as_ref()),
        Reply::LeaseTimeToLive(reply) => {
            out.header("", reply.header.as_ref());
            out.add("ID", reply.id);
            out.add("TTL", reply.ttl);
            out.add("grantedTTL", reply.granted_ttl);
            out.add("keys", &reply.keys);
        }
        Reply::LeaseLeases(reply) => {
            out.header("", reply.header.as_ref());
            out.add("leases", &reply.leases);
        }
        Reply::LeaseKeepAlive(replies) => {
            for (index, reply) in replies.iter().enumerate() {
                let at = format!("[{index}].");
                out.header(&at, reply.header.as_ref());
                out.add(&format!("{at}ID"), reply.id);
                out.add(&format!("{at}TTL"), reply.ttl);
            }
        }
        Reply::Status(reply) => {
            out.header("", reply.header.as_ref());
            let mut rest = reply.clone();
            rest.header = None;
            out.add("status", rest);
        }
        Reply::HashKv(reply) => {
            out.header("", reply.header.as_ref());
            out.add("compact_revision", reply.compact_revision);
            out.add("hash_revision", reply.hash_revision);
        }
        Reply::Raw(bytes) => out.add("bytes", bytes),
        Reply::Watch(reply) => out.watch(reply),
    }
    out.0
}

#[derive(Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn add(&mut self, path: &str, value: impl Debug) {
        self.text(path, &format!("{value:?}"));
    }

    fn text(&mut self, path: &str, value: &str) {
        let shown = match value.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => format!("{}… {} bytes", value.get(..cut).unwrap_or_default(), value.len()),
            None => value.to_owned(),
        };
        self.0.push((path.to_owned(), shown));
    }

    fn header(&mut self, at: &str, header: Option<&ResponseHeader>) {
        let Some(header) = header else { return };
        self.add(&format!("{at}header.revision"), header.revision);
        let ids = (header.cluster_id, header.member_id, header.raft_term);
        self.add(&format!("{at}header.ids"), ids);
    }

    fn version(&mut self, at: &str, bytes: &Bytes) {
        let version = kv(bytes);
        self.add(&format!("{at}.key"), &version.key);
        self.add(&format!("{at}.create_revision"), version.create_revision);
        self.add(&format!("{at}.mod_revision"), version.mod_revision);
        self.add(&format!("{at}.version"), version.version);
        self.add(&format!("{at}.value"), &version.value);
        self.add(&format!("{at}.lease"), version.lease);
    }

    fn range(&mut self, at: &str, reply: &RangeResponse) {
        self.header(at, reply.header.as_ref());
        self.add(&format!("{at}count"), reply.count);
        self.add(&format!("{at}more"), reply.more);
        self.add(&format!("{at}kvs.len"), reply.kvs.len());
        for (index, bytes) in reply.kvs.iter().enumerate() {
            self.version(&format!("{at}kvs[{index}]"), bytes);
        }
    }

    fn put(&mut self, at: &str, reply: &PutResponse) {
        self.header(at, reply.header.as_ref());
        if let Some(bytes) = &reply.prev_kv {
            self.version(&format!("{at}prev_kv"), bytes);
        }
    }

    fn delete_range(&mut self, at: &str, reply: &DeleteRangeResponse) {
        self.header(at, reply.header.as_ref());
        self.add(&format!("{at}deleted"), reply.deleted);
        for (index, bytes) in reply.prev_kvs.iter().enumerate() {
            self.version(&format!("{at}prev_kvs[{index}]"), bytes);
        }
    }

    fn txn(&mut self, at: &str, reply: &TxnResponse) {
        self.header(at, reply.header.as_ref());
        self.add(&format!("{at}succeeded"), reply.succeeded);
        self.add(&format!("{at}responses.len"), reply.responses.len());
        for (index, response) in reply.responses.iter().enumerate() {
            let at = format!("{at}responses[{index}].");
            match &response.response {
                Some(Response::ResponseRange(reply)) => self.range(&format!("{at}range."), reply),
                Some(Response::ResponsePut(reply)) => self.put(&format!("{at}put."), reply),
                Some(Response::ResponseDeleteRange(reply)) => self.delete_range(&format!("{at}delete."), reply),
                Some(Response::ResponseTxn(reply)) => self.txn(&format!("{at}txn."), reply),
                None => self.text(&at, "empty"),
            }
        }
    }

    fn watch(&mut self, reply: &StreamReply) {
        let StreamReply::Closed(watches) = reply else {
            return self.add("watch", reply);
        };
        for (id, notes) in watches {
            for (index, note) in notes.iter().enumerate() {
                let at = format!("watch[{id}].note[{index}]");
                match note {
                    Note::Events(events) => self.events(&at, events),
                    note => self.add(&at, note),
                }
            }
        }
    }

    fn events(&mut self, at: &str, events: &[Event]) {
        self.add(&format!("{at}.events.len"), events.len());
        for (index, event) in events.iter().enumerate() {
            let at = format!("{at}.events[{index}]");
            self.add(&format!("{at}.type"), event.r#type);
            self.version(&format!("{at}.kv"), &event.kv);
            if let Some(bytes) = &event.prev_kv {
                self.version(&format!("{at}.prev_kv"), bytes);
            }
        }
    }
}
