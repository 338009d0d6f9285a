//! A bit flips at rest, anywhere in the log or in the index.
//!
//! What could go wrong: a wrong value is served, a key is missing or back, and above all: damage to the last records is
//! taken for a torn tail, and acknowledged writes vanish without a word. Promised: the site does not start and says why,
//! or the requests that need the damaged bytes are refused, or nobody can tell the difference.
//!
//! `ARCHIPEL_FLIPS` says how many.

use crate::crash::number;
use crate::judge::{Verdict, everything, judge, judge_reply, watch_request};
use crate::life::{Life, Possible, Tally, run};
use crate::model::{Model, Version};
use crate::random::Random;
use crate::site::Site;
use archipel_store::disk::Disk;
use archipel_store::error::RequestError;
use archipel_store::mvcc::{DeleteRangeRequest, Op, PutRequest, RangeReply, RangeRequest, TxnRequest};
use archipel_store::watch::WatchStep;
use archipel_store::{Config, Store, View};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FLIPS_DEFAULT: u64 = 10_000;
const SITES: u64 = 8;
const DIR: &str = "/site/log";

/// What became of the flips.
#[derive(Clone, Debug, Default)]
struct Outcomes {
    /// The site did not start, and said why.
    not_started: u64,
    /// Some request was refused, and said why.
    refused: u64,
    harmless: u64,
}

/// A site at rest with overwritten, deleted and compacted keys, several segments and a checkpoint that lags behind.
fn at_rest(seed: u64, closed: bool) -> (Site, Model) {
    let (site, mut random) = (Site::new(seed, 4_096 << (seed % 2)), Random(seed));
    let (mut possible, mut tally) = (Possible::default(), Tally::default());
    let store = site.open().unwrap();
    let mut life = Life::begin(&site, store.clone(), &mut possible, &mut random, &mut tally).unwrap();
    life.live(120).unwrap();
    life.maintain().unwrap();
    life.live(10 + seed % 7).unwrap();
    drop(life);
    if closed {
        run(store.close());
    }
    // Nothing is under way: what was acknowledged is synced, and a kill leaves the rest to the system.
    site.disk.cut_after(0);
    drop(store);
    site.disk.crash();
    (site, possible.newest().clone())
}

/// Every answer is right or refused; says whether any was refused.
fn answers(store: &Store, model: &Model) -> Result<bool, String> {
    if judge(store, model, crate::judge::Depth::Whole).is_ok() {
        return Ok(false);
    }
    // Something is wrong, or refused. Which?
    let view = store.view();
    if view.revision() != model.revision || view.compact_revision() != model.compact_revision {
        let shown = (view.revision(), view.compact_revision());
        return Err(format!("{shown:?} instead of {:?}", (model.revision, model.compact_revision)));
    }
    let mut ids = store.leases();
    ids.sort_unstable();
    if !ids.iter().eq(model.leases.keys()) {
        return Err(format!("leases {ids:?}"));
    }
    let mut refused = watched(&view, model)?;
    let mut live = model.live.clone();
    for revision in (model.compact_revision.max(1)..=model.revision).rev() {
        refused |= keys_at(&view, &live, revision)?;
        model.step_back(&mut live, revision);
    }
    if refused { Ok(true) } else { Err(format!("{:?}", judge(store, model, crate::judge::Depth::Whole))) }
}

fn keys_at(view: &View, live: &BTreeMap<Bytes, Arc<Version>>, revision: i64) -> Result<bool, String> {
    let all = everything(revision);
    if let Some(reply) = or_refused(view.range(&all))? {
        judge_reply(&reply, live, revision)?;
        return Ok(false);
    }
    // Keys alone need no value.
    let keys = or_refused(view.range(&RangeRequest { keys_only: true, ..all }))?;
    if keys.is_some_and(|reply| reply.count != live.len() as i64) {
        return Err(format!("a wrong count at {revision}"));
    }
    for (key, version) in live {
        let one = RangeRequest { key: key.clone(), revision, ..RangeRequest::default() };
        if let Some(reply) = or_refused(view.range(&one))? {
            judge_reply(&reply, &BTreeMap::from([(key.clone(), version.clone())]), revision)?;
        }
    }
    Ok(true)
}

fn or_refused(reply: Result<RangeReply, RequestError>) -> Result<Option<RangeReply>, String> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(RequestError::Unreadable { .. }) => Ok(None),
        Err(other) => Err(format!("{other}")),
    }
}

/// A watch shows all events or ends with an error.
fn watched(view: &View, model: &Model) -> Result<bool, String> {
    let start = model.compact_revision.max(1);
    let mut watcher = view.watch(watch_request(start));
    let mut shown = 0;
    loop {
        match watcher.poll_events(500) {
            WatchStep::Events { events, .. } => shown += events.len(),
            WatchStep::Unreadable(_) => return Ok(true),
            _ => break,
        }
    }
    let right: usize = model.history.range(start..).map(|(_, events)| events.len()).sum();
    if shown == right { Ok(false) } else { Err(format!("{shown} events instead of {right}")) }
}

/// Starts a damaged site, asks for everything, lets it clean its log, and starts it again.
fn examine(site: &Site, model: &Model, outcomes: &mut Outcomes) -> Verdict {
    let mut refused = false;
    for start in ["at the first start", "at the second start"] {
        let store = match site.open() {
            Ok(store) => store,
            Err(error) => {
                assert!(error.to_string().len() > 40, "this helps nobody: {error}");
                outcomes.not_started += 1;
                return Ok(());
            }
        };
        refused |= answers(&store, model).map_err(|wrong| format!("{start}: {wrong}"))?;
        store.maintain().map_err(|error| format!("{start}: maintenance: {error}"))?;
        refused |= answers(&store, model).map_err(|wrong| format!("{start}, after cleaning: {wrong}"))?;
        if start == "at the first start" {
            site.disk.cut_after(0);
            drop(store);
            site.disk.crash();
        }
    }
    if refused {
        outcomes.refused += 1
    } else {
        outcomes.harmless += 1
    }
    Ok(())
}

/// The log's files with the number of bytes that were ever used: behind them all is zeros.
fn files(site: &Site) -> Vec<(PathBuf, u64)> {
    let files = site.disk.list(Path::new(DIR)).unwrap();
    let used = |path: &Path, bytes: u64| {
        let mut content = vec![0; bytes as usize];
        site.disk.open(path).unwrap().read_exact_at(&mut content, 0).unwrap();
        content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
    };
    let file = |file: archipel_store::disk::FileEntry| {
        let path = Path::new(DIR).join(&file.name);
        let used = used(&path, file.bytes);
        (path, used)
    };
    files.into_iter().map(file).filter(|(_, used)| *used > 0).collect()
}

fn flips_of_the_log(closed: bool) {
    let flips = number("ARCHIPEL_FLIPS").unwrap_or(FLIPS_DEFAULT) / 2;
    let mut outcomes = Outcomes::default();
    let mut wrong = Vec::new();
    for seed in 0..SITES {
        let (site, model) = at_rest(seed, closed);
        let mut random = Random(seed ^ 0xf11b);
        let files = files(&site);
        let total: u64 = files.iter().map(|(_, used)| used).sum();
        for _ in 0..flips / SITES {
            let mut at = random.below(total);
            let file = files.iter().find(|(_, used)| {
                let here = at < *used;
                at -= if here { 0 } else { *used };
                here
            });
            let (path, _) = file.expect("below the total");
            let with_index = random.one_in(2);
            let index = if with_index { site.index.image() } else { Default::default() };
            let damaged = Site::on(site.disk.image(), index, site.segment_bytes);
            let bit = random.next() as u8 % 8;
            damaged.disk.flip_bit(path, at, bit).unwrap();
            if let Err(broken) = examine(&damaged, &model, &mut outcomes) {
                let path = path.display();
                wrong.push(format!("site {seed}, bit {bit} of byte {at} of {path}, index {with_index}: {broken}"));
            }
        }
    }
    println!("{flips} flips: {outcomes:?}");
    assert!(wrong.is_empty(), "{} wrong: {}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    // A search that only hits unused bytes proves nothing.
    assert!(outcomes.not_started > flips / 10 && outcomes.refused > flips / 50, "{outcomes:?}");
}

#[test]
fn a_flip_in_the_log_of_a_site_that_was_stopped_is_noticed() {
    flips_of_the_log(true);
}

#[test]
fn a_flip_in_the_log_of_a_site_that_was_killed_is_noticed() {
    flips_of_the_log(false);
}

/// The real disk and the real index: its files are damaged, too, and it panics on some of that.
#[test]
fn a_flip_in_a_real_directory_is_noticed() {
    let flips = number("ARCHIPEL_FLIPS").unwrap_or(FLIPS_DEFAULT) / 40;
    let kept = tempfile::tempdir().unwrap();
    let model = written(kept.path());
    let mut random = Random(7);
    let mut outcomes = Outcomes::default();
    for flip in 0..flips {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("site");
        copy(&kept.path().join("site"), &dir);
        let files: Vec<PathBuf> =
            ["log", "index", "index/snap", "index/blobs"].iter().flat_map(|part| names(&dir.join(part))).collect();
        let path = &files[random.below(files.len() as u64) as usize];
        let mut content = std::fs::read(path).unwrap();
        let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if used == 0 {
            continue;
        }
        let at = random.below(used as u64) as usize;
        content[at] ^= 1 << random.below(8);
        std::fs::write(path, content).unwrap();
        match Store::open(config(&dir)) {
            Err(_) => outcomes.not_started += 1,
            Ok(store) => match answers(&store, &model) {
                Ok(false) => outcomes.harmless += 1,
                Ok(true) => outcomes.refused += 1,
                Err(wrong) => panic!("flip {flip}, byte {at} of {}: {wrong}", path.display()),
            },
        }
    }
    println!("{flips} flips of a real directory: {outcomes:?}");
    assert!(outcomes.not_started > 0 && outcomes.harmless > flips / 10, "{outcomes:?}");
}

fn config(dir: &Path) -> Config {
    let (segment_bytes, value_cache_bytes) = (8 << 10, 1 << 10);
    Config { background: false, segment_bytes, value_cache_bytes, ..Config::new(dir, "nantes") }
}

fn written(dir: &Path) -> Model {
    let (mut model, mut random) = (Model::default(), Random(3));
    let store = Store::open(config(&dir.join("site"))).unwrap();
    for at in 0..90_u64 {
        let key = Bytes::from(format!("k{}", at % 11));
        let op = if at % 7 == 3 {
            Op::DeleteRange(DeleteRangeRequest { key, ..DeleteRangeRequest::default() })
        } else {
            Op::Put(PutRequest { key, value: random.value(), ..PutRequest::default() })
        };
        model.change(std::slice::from_ref(&op));
        run(store.txn(TxnRequest { success: vec![op], ..TxnRequest::default() })).unwrap();
        if at % 40 == 39 {
            model.compact(model.revision - 20);
            run(store.compact(model.compact_revision, true)).unwrap();
            store.maintain().unwrap();
        }
    }
    run(store.close());
    model
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
