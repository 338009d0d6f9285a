//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// The first pause between two looks. A look costs a request or two on loopback connections.
const PAUSE_FIRST: Duration = Duration::from_millis(3);
/// The longest pause. Pauses grow with the time that has passed, so that what is quick is measured well and what is slow
/// does not keep a core busy.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// What [`eventually`] allows when the caller has no reason to choose.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until `look` answers with a value and returns it with the time that passed.
///
/// # Errors
/// The `Err` of the last look when the condition does not hold within a minute: it says what was seen instead.
pub async fn eventually<T, F>(look: impl FnMut() -> F) -> Result<(T, Duration), String>
where
    F: Future<Output = Result<T, String>>,
{
    eventually_within(PATIENCE, look).await
}

/// As [`eventually`], with a deadline of the caller.
///
/// # Errors
/// The `Err` of the last look, and how long was waited.
pub async fn eventually_within<T, F>(patience: Duration, mut look: impl FnMut() -> F) -> Result<(T, Duration), String>
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match look().await {
            Ok(value) => return Ok((value, start.elapsed())),
            Err(seen) if start.elapsed() >= patience => {
                return Err(format!("{seen} (after waiting {} s)", patience.as_secs()));
            }
            Err(_) => tokio::time::sleep((start.elapsed() / 8).clamp(PAUSE_FIRST, PAUSE_MAX)).await,
        }
    }
}
