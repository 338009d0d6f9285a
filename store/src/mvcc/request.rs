//! Requests and replies in the store's own words; `etcd-shim` converts from and to the wire.
//! Field meanings are etcd's (api/etcdserverpb/rpc.proto). `kvs` hold encoded `mvccpb.KeyValue` messages.

use bytes::Bytes;

/// A Range request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeRequest {
    /// First key.
    pub key: Bytes,
    /// Exclusive end; empty = the single key, one zero byte = everything from `key`.
    pub range_end: Bytes,
    /// Most keys to return; 0 or less = no limit.
    pub limit: i64,
    /// Revision to read at; 0 or less = the current one.
    pub revision: i64,
    /// Result order.
    pub sort_order: SortOrder,
    /// What is sorted by.
    pub sort_target: SortTarget,
    /// Leave values out.
    pub keys_only: bool,
    /// Return only the count.
    pub count_only: bool,
    /// Filters; 0 = none.
    pub min_mod_revision: i64,
    #[allow(missing_docs)]
    pub max_mod_revision: i64,
    #[allow(missing_docs)]
    pub min_create_revision: i64,
    #[allow(missing_docs)]
    pub max_create_revision: i64,
}

/// Sort order of a Range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum SortOrder {
    #[default]
    None,
    Ascend,
    Descend,
}

/// Sort target of a Range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub enum SortTarget {
    #[default]
    Key,
    Version,
    Create,
    Mod,
    Value,
}

/// Answer to a Range. The header's revision is carried beside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeReply {
    /// Encoded `mvccpb.KeyValue` messages.
    pub kvs: Vec<Bytes>,
    /// The limit cut something off.
    pub more: bool,
    /// Keys in the whole interval at that revision, whatever the limit and the filters.
    pub count: i64,
}

/// A Put request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutRequest {
    /// The key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// Lease to attach; 0 = none.
    pub lease: i64,
    /// Return the former version.
    pub prev_kv: bool,
    /// Keep the value.
    pub ignore_value: bool,
    /// Keep the lease.
    pub ignore_lease: bool,
}

/// Answer to a Put.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PutReply {
    /// The former version, if asked for and there was one.
    pub prev_kv: Option<Bytes>,
}

/// A DeleteRange request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeleteRangeRequest {
    /// First key.
    pub key: Bytes,
    /// Exclusive end, as in [`RangeRequest`].
    pub range_end: Bytes,
    /// Return the deleted versions.
    pub prev_kv: bool,
}

/// Answer to a DeleteRange.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeleteRangeReply {
    /// How many keys were deleted.
    pub deleted: i64,
    /// What they held, if asked for, in key order.
    pub prev_kvs: Vec<Bytes>,
}

/// One comparison of a Txn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compare {
    /// First key.
    pub key: Bytes,
    /// Exclusive end: the comparison must hold for every key in the interval.
    pub range_end: Bytes,
    /// The relation.
    pub result: CompareResult,
    /// What is compared, with the operand.
    pub target: CompareTarget,
}

/// Relation of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum CompareResult {
    Equal,
    Greater,
    Less,
    NotEqual,
}

/// Left side of a comparison, with its right side.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum CompareTarget {
    Version(i64),
    Create(i64),
    Mod(i64),
    Value(Bytes),
    Lease(i64),
}

/// A transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TxnRequest {
    /// All must hold, against the state before the transaction.
    pub compare: Vec<Compare>,
    /// Runs if they do.
    pub success: Vec<Op>,
    /// Runs if not.
    pub failure: Vec<Op>,
}

/// One operation of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Op {
    Range(RangeRequest),
    Put(PutRequest),
    DeleteRange(DeleteRangeRequest),
    Txn(TxnRequest),
}

/// Answer to a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TxnReply {
    /// Which branch ran.
    pub succeeded: bool,
    /// One reply an operation of that branch, each with the revision its own header shows.
    pub replies: Vec<(i64, OpReply)>,
}

/// Answer to one operation of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum OpReply {
    Range(RangeReply),
    Put(PutReply),
    DeleteRange(DeleteRangeReply),
    Txn(TxnReply),
}
