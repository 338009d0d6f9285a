//! What is visible in the CRDT, laid over the local value, as an ordinary local write (rules M2 to M4, M14, M17, M19).
//! Predecessor: `absorb`. Successor: `log`, through the commit.

use super::emit::decode;
use super::operation::is_terminating;
use super::replicas::{Replica, Replicas};
use crate::error::RequestError;
use crate::limits::MATERIALISED_BYTES_MAX;
use crate::mvcc::KeyValue;
use crate::sequencer::Commit;
use archipel_crdt::entry::DeletePolicy;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::lens::{self, Class, LifeSeed};
use archipel_crdt::value::{self, Encoding, Tree};
use bytes::Bytes;
use std::cell::RefCell;

/// Kinds that can own a replicated object and are replicated themselves; other owners are not projected (rule M19).
const OWNERS: &[(&str, &str, &str)] = &[
    ("ConfigMap", "", "configmaps"),
    ("Secret", "", "secrets"),
    ("Service", "", "services"),
    ("ServiceAccount", "", "serviceaccounts"),
    ("Deployment", "apps", "deployments"),
];

/// What is to be done with one key.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Plan {
    /// The local value shows what is visible already: no revision, no event (rule M3).
    Keep,
    /// In the CRDT, not in the store, for a reason that an operator is told (rule L4).
    Hold(String),
    /// One revision with these bytes.
    Write(Vec<u8>),
    /// The life changed and so did fields that Kubernetes does not let change: a DELETE, then a PUT with the new uid, so
    /// that what the old one owned is collected (rule M17).
    Replace(Vec<u8>),
    /// One revision that deletes the key.
    Delete,
}

/// Brings the local value of `key` to what the share's CRDT shows. Every write gets a revision of its own (rule M2).
pub(super) fn materialise(
    commit: &mut Commit<'_>,
    replicas: &mut Replicas,
    share: u128,
    key: &ObjectKey,
    policy: DeletePolicy,
) {
    let Some(replica) = replicas.shares.get(&share) else { return };
    let Some(etcd_key) = replicas.keyspace.key(&replica.share.namespace, key).map(Bytes::from) else { return };
    let plan = plan(commit, replicas, replica, key, policy);
    let done = match &plan {
        Plan::Keep | Plan::Hold(_) => Ok(()),
        Plan::Delete => {
            commit.begin_revision();
            commit.delete(&etcd_key);
            Ok(())
        }
        Plan::Write(bytes) => put(commit, &etcd_key, bytes),
        Plan::Replace(bytes) => {
            commit.begin_revision();
            commit.delete(&etcd_key);
            put(commit, &etcd_key, bytes)
        }
    };
    let held = match (plan, done) {
        (Plan::Hold(reason), _) => Some(reason),
        (_, Err(error)) => Some(error.to_string()),
        _ => None,
    };
    if let Some(replica) = replicas.shares.get_mut(&share) {
        match held {
            Some(reason) => {
                tracing::warn!(namespace = replica.share.namespace, object = %key, reason, "held: not shown here");
                replica.held.insert(key.clone(), reason);
            }
            None => {
                replica.held.remove(key);
            }
        }
    }
}

fn put(commit: &mut Commit<'_>, key: &Bytes, bytes: &[u8]) -> Result<(), crate::error::RequestError> {
    commit.begin_revision();
    commit.put(key, bytes, 0).map(|_| ())
}

pub(super) fn plan(
    commit: &Commit<'_>,
    replicas: &Replicas,
    replica: &Replica,
    key: &ObjectKey,
    policy: DeletePolicy,
) -> Plan {
    let etcd_key = replicas.keyspace.key(&replica.share.namespace, key).unwrap_or_default();
    let version = match commit.get(etcd_key.as_bytes()) {
        Ok(version) => version,
        Err(unreadable) => return Plan::Hold(unreadable.to_string()),
    };
    let local = decode(version.as_ref());
    if version.is_some() && local.is_none() {
        return Plan::Hold("the local value does not decode".into());
    }
    let object = replica.objects.get(key);
    let Some((_, info, visible)) = object.and_then(|object| object.visible()) else {
        return without_life(replicas, key, local, policy);
    };
    let seed = LifeSeed {
        uid: info.uid.clone(),
        creation_timestamp: info.creation_timestamp.clone(),
        namespace: replica.share.namespace.clone(),
        name: key.name.clone(),
    };
    let unreadable = RefCell::new(None);
    let owner_uid = |kind: &str, name: &str| {
        owner_uid(commit, replicas, replica, kind, name).unwrap_or_else(|error| {
            *unreadable.borrow_mut() = Some(error.to_string());
            None
        })
    };
    let shown = |local: Option<&value::Decoded>| {
        let (api_version, kind) = (&info.api_version, &info.kind);
        let tree = lens::overlay(kind, local, &visible, &seed, &owner_uid);
        let encoding = local.map_or_else(|| default_encoding(commit, replicas), |local| local.encoding);
        value::Decoded { encoding, api_version: api_version.clone(), kind: kind.clone(), tree }
    };
    let fresh = shown(None);
    if let Some(error) = unreadable.take() {
        return Plan::Hold(error);
    }
    // Checked here too, for a merge bypasses this site's admission: what a peer may not send is not shown (hazard H7).
    match lens::classify(key, &fresh) {
        Class::Replicated => {}
        Class::Derived => return Plan::Hold("it belongs to a controller".into()),
        Class::Held(reason) | Class::Local(reason) => return Plan::Hold(reason.to_owned()),
    }
    let Some(local) = local else { return encoded(&fresh, Plan::Write) };
    if is_terminating(&local.tree) {
        return Plan::Hold("the former object of this name is still being deleted here".into());
    }
    if lens::classify(key, &local) != Class::Replicated {
        return Plan::Hold("an object of this name belongs to this site alone".into());
    }
    if local.api_version != fresh.api_version {
        return Plan::Hold(format!("stored here as {}, at the peer as {}", local.api_version, fresh.api_version));
    }
    if differs_in_identity(key, &local, &visible) {
        return encoded(&fresh, Plan::Replace);
    }
    let merged = shown(Some(&local));
    if merged.tree == local.tree { Plan::Keep } else { encoded(&merged, Plan::Write) }
}

/// The object was deleted at the peer (rule M14): at once, or by this site's own finalizers.
fn without_life(replicas: &Replicas, key: &ObjectKey, local: Option<value::Decoded>, policy: DeletePolicy) -> Plan {
    let Some(mut local) = local else { return Plan::Keep };
    let is_replicated = lens::classify(key, &local) == Class::Replicated;
    if key.resource == "namespaces" || !is_replicated || is_terminating(&local.tree) {
        return Plan::Keep;
    }
    let gc_finalizer = match policy {
        DeletePolicy::Background => None,
        DeletePolicy::Foreground => Some("foregroundDeletion"),
        DeletePolicy::Orphan => Some("orphan"),
    };
    if !begin_deletion(&mut local.tree, gc_finalizer, replicas.clock.wall_ms()) {
        return Plan::Delete;
    }
    encoded(&local, Plan::Write)
}

/// Marks an object that has finalizers, or gets one, as terminating; false if nothing stands in the way of its end.
fn begin_deletion(tree: &mut Tree, gc_finalizer: Option<&str>, unix_ms: u64) -> bool {
    let Tree::Map(fields) = tree else { return false };
    let Some(Tree::Map(metadata)) = fields.get_mut("metadata") else { return false };
    let mut finalizers = match metadata.remove("finalizers") {
        Some(Tree::List(items)) => items,
        _ => Vec::new(),
    };
    finalizers.extend(gc_finalizer.map(Tree::text).filter(|item| !finalizers.contains(item)));
    if finalizers.is_empty() {
        return false;
    }
    let generation = match metadata.get("generation") {
        Some(Tree::Int(n)) => *n,
        _ => 0,
    };
    metadata.insert("finalizers".into(), Tree::List(finalizers));
    metadata.insert("generation".into(), Tree::Int(generation + 1));
    metadata.insert("deletionGracePeriodSeconds".into(), Tree::Int(0));
    metadata.insert("deletionTimestamp".into(), Tree::Text(value::time_text(unix_ms / 1000).into()));
    true
}

/// Fields that Kubernetes never lets change in place (rule M18): the winner of two concurrent creations may differ there.
fn differs_in_identity(key: &ObjectKey, local: &value::Decoded, visible: &Tree) -> bool {
    let projected = lens::project(local);
    let differs = |path: &[&str]| projected.at(path) != visible.at(path);
    match (key.group.as_str(), key.resource.as_str()) {
        ("apps", "deployments") => differs(&["spec", "selector"]),
        ("", "secrets") => differs(&["type"]) || differs(&["immutable"]),
        ("", "configmaps") => differs(&["immutable"]),
        _ => false,
    }
}

/// The local uid of an owner, if it is here.
///
/// # Errors
/// It is here and cannot be read.
fn owner_uid(
    commit: &Commit<'_>,
    replicas: &Replicas,
    replica: &Replica,
    kind: &str,
    name: &str,
) -> Result<Option<String>, RequestError> {
    let Some(&(_, group, resource)) = OWNERS.iter().find(|(k, ..)| *k == kind) else { return Ok(None) };
    let key = ObjectKey { group: group.to_owned(), resource: resource.to_owned(), name: name.to_owned() };
    let Some(etcd_key) = replicas.keyspace.key(&replica.share.namespace, &key) else { return Ok(None) };
    let owner = decode(commit.get(etcd_key.as_bytes())?.as_ref());
    let uid = owner.and_then(|owner| owner.tree.at(&["metadata", "uid"]).and_then(Tree::as_str).map(str::to_owned));
    Ok(uid)
}

/// What this site's kube-apiserver stores new objects as: read off an object that every cluster has.
fn default_encoding(commit: &Commit<'_>, replicas: &Replicas) -> Encoding {
    let key = ObjectKey { group: String::new(), resource: "namespaces".into(), name: String::new() };
    let own = replicas.keyspace.key("kube-system", &key).and_then(|key| commit.get(key.as_bytes()).ok().flatten());
    match own.and_then(|version| KeyValue::decode(&version).ok().map(|kv| value::Encoding::sniff(kv.value))) {
        Some(Encoding::Json) => Encoding::Json,
        _ => Encoding::Protobuf,
    }
}

fn encoded(value: &value::Decoded, plan: fn(Vec<u8>) -> Plan) -> Plan {
    match value::encode(value) {
        Ok(bytes) if bytes.len() > MATERIALISED_BYTES_MAX => {
            Plan::Hold(format!("{} bytes, more than {MATERIALISED_BYTES_MAX}", bytes.len()))
        }
        Ok(bytes) => plan(bytes),
        Err(error) => Plan::Hold(error.to_string()),
    }
}

/// Owners that one object names, so that dependents which came first can be shown again when their owner appears.
pub(super) fn dependents(replica: &Replica, owner: &ObjectKey) -> Vec<ObjectKey> {
    let Some(&(kind, ..)) = OWNERS.iter().find(|&&(_, g, r)| (g, r) == (owner.group.as_str(), owner.resource.as_str()))
    else {
        return Vec::new();
    };
    let names = |reference: &Tree| {
        let is = |field: &str, text: &str| reference.get(field).and_then(Tree::as_str) == Some(text);
        is("kind", kind) && is("name", &owner.name)
    };
    let depends = |tree: &Tree| match tree.at(&["metadata", "ownerReferences"]) {
        Some(Tree::List(references)) => references.iter().any(names),
        _ => false,
    };
    let objects = replica.objects.iter();
    let found = objects.filter(|(_, object)| object.visible().is_some_and(|(_, _, tree)| depends(&tree)));
    found.map(|(key, _)| key.clone()).collect()
}
