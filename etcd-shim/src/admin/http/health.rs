//! The checks behind `/health`, `/livez` and `/readyz` (etcd: server/etcdserver/api/etcdhttp/health.go).

use crate::etcd::{Context, alarm::Alarm};
use archipel_store::mvcc::RangeRequest;
use bytes::Bytes;

/// A check: its name, and what is wrong.
pub(super) type Check = (&'static str, fn(&Context) -> Result<(), String>);

/// Is the process able to serve at all?
pub(super) const LIVE: &[Check] = &[("serializable_read", read)];
/// Should requests be sent to it?
pub(super) const READY: &[Check] = &[
    ("data_corruption", not_corrupt),
    ("serializable_read", read),
    ("linearizable_read", read),
    ("non_learner", always),
];

/// Reads a key, which need not exist.
fn read(context: &Context) -> Result<(), String> {
    let request = RangeRequest { key: Bytes::from_static(b"health"), limit: 1, ..RangeRequest::default() };
    context.store.range(&request).map(|_| ()).map_err(|error| format!("RANGE ERROR:{error}"))
}

fn not_corrupt(context: &Context) -> Result<(), String> {
    if context.alarms.is_raised(Alarm::Corrupt) { Err("alarm activated: CORRUPT".to_owned()) } else { Ok(()) }
}

/// A site is its own only member, never a learner.
fn always(_context: &Context) -> Result<(), String> {
    Ok(())
}

/// What `/health` says: None = healthy, or the reason. Alarms named in `excluded` do not count.
pub(super) fn unhealthy(context: &Context, excluded: &[&str]) -> Option<String> {
    let raised = Alarm::ALL.into_iter().filter(|alarm| context.alarms.is_raised(*alarm));
    let alarm = raised.map(Alarm::name).find(|name| !excluded.contains(name));
    alarm.map(|name| format!("ALARM {name}")).or_else(|| read(context).err())
}

/// Runs checks; the text has a line for each, and the flag says whether all passed.
pub(super) fn report(context: &Context, checks: &[Check], excluded: &[&str]) -> (bool, String) {
    let mut text = String::new();
    let mut passed = true;
    for (name, check) in checks.iter().filter(|(name, _)| !excluded.contains(name)) {
        match check(context) {
            Ok(()) => text.push_str(&format!("[+]{name} ok\n")),
            Err(reason) => {
                passed = false;
                text.push_str(&format!("[-]{name} failed: {reason}\n"));
            }
        }
    }
    (passed, text)
}
