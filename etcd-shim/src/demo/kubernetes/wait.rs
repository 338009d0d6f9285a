//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// How often a condition is looked at. A look costs one request on a loopback connection.
const LOOK_EVERY: Duration = Duration::from_millis(40);

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
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
