//! Silence: when nobody writes, no site makes an entry.
//!
//! Two controllers that disagree about one field would write it in turn for ever; every entry of one answers one of the
//! other. So a share on which nothing happens must have no new entry while both controller managers run.

use std::time::Duration;

use archipel::demo::pair::Pair;

/// How long nothing may happen. Longer than any period of the controllers that write to what is shared.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Waits until the shares of `namespaces` are the same at both sites and stay so for a moment, then checks that no entry
/// is made at either site for the time of [`SILENCE`].
///
/// # Panics
/// When there is one; the message has the entries of each share before and after.
pub async fn assert_silent(pair: &Pair, namespaces: &[&str]) {
    let before = settled(pair, namespaces).await;
    // A share without entries would be silent in any case.
    assert!(before.iter().all(|(nantes, _)| *nantes > 0), "entries of {namespaces:?}: {before:?}");
    tokio::time::sleep(SILENCE).await;
    let after = entries(pair, namespaces).await;
    assert_eq!(before, after, "entries of {namespaces:?} at nantes and rennes before and after {SILENCE:?} of silence");
}

/// What was last written may still be on its way, and the controllers may have something to say to it.
async fn settled(pair: &Pair, namespaces: &[&str]) -> Vec<(u64, u64)> {
    /// Nothing new for this long means that the last write has been answered.
    const STILL: Duration = Duration::from_secs(3);
    /// Beyond this it will not come to rest.
    const ROUNDS_MAX: u32 = 10;
    let mut last = entries(pair, namespaces).await;
    for _ in 0..ROUNDS_MAX {
        tokio::time::sleep(STILL).await;
        let now = entries(pair, namespaces).await;
        if now == last && now.iter().all(|(nantes, rennes)| nantes == rennes) {
            return now;
        }
        last = now;
    }
    panic!("the shares of {namespaces:?} do not come to rest: entries at nantes and rennes are {last:?}");
}

async fn entries(pair: &Pair, namespaces: &[&str]) -> Vec<(u64, u64)> {
    let mut all = Vec::with_capacity(namespaces.len());
    for namespace in namespaces {
        let (nantes, rennes) = tokio::join!(pair.nantes.entries(namespace), pair.rennes.entries(namespace));
        all.push((nantes.expect("nantes has the share"), rennes.expect("rennes has the share")));
    }
    all
}
