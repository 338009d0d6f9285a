//! kubectl against one site: what a user would type, with a deadline.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// kubectl with the kubeconfig of one site. Its caches are kept in the site's folder, not in the user's home.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

/// Why kubectl did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubectlError {
    /// It could not be started or talked to.
    #[error("cannot run {program}: {source}")]
    Start { program: PathBuf, source: std::io::Error },
    /// It did not end in time.
    #[error("`{command}` did not end within {} s", PATIENCE.as_secs())]
    Late { command: String },
    /// It failed; this is what it said.
    #[error("`{command}`: {message}")]
    Failed { command: String, message: String },
    /// Its output is not the JSON that was asked for.
    #[error("`{command}` printed something that is not JSON: {source}")]
    Output { command: String, source: serde_json::Error },
}

impl Kubectl {
    pub(crate) fn new(program: PathBuf, kubeconfig: PathBuf, cache: PathBuf) -> Kubectl {
        Kubectl { program, kubeconfig, cache }
    }

    /// The program itself.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The kubeconfig that it uses.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs `kubectl ARGUMENTS` and returns what it printed.
    ///
    /// # Errors
    /// [`KubectlError`], with kubectl's own message when it failed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, KubectlError> {
        self.feed(arguments, "").await
    }

    /// Runs `kubectl apply -f -` on `documents` (YAML or JSON).
    ///
    /// # Errors
    /// [`KubectlError`].
    pub async fn apply(&self, documents: &str) -> Result<String, KubectlError> {
        self.feed(&["apply", "-f", "-"], documents).await
    }

    /// Runs `kubectl get ARGUMENTS -o json`.
    ///
    /// # Errors
    /// [`KubectlError`].
    pub async fn get(&self, arguments: &[&str]) -> Result<Value, KubectlError> {
        let arguments = [&["get"], arguments, &["-o", "json"]].concat();
        let output = self.run(&arguments).await?;
        serde_json::from_str(&output).map_err(|source| KubectlError::Output { command: shown(&arguments), source })
    }

    async fn feed(&self, arguments: &[&str], input: &str) -> Result<String, KubectlError> {
        let start_error = |source| KubectlError::Start { program: self.program.clone(), source };
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start_error)?;
        let mut stdin = child.stdin.take();
        let exchange = async {
            if let Some(mut stdin) = stdin.take() {
                // A kubectl that ended early says why on its standard error.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| KubectlError::Late { command: shown(arguments) })?
            .map_err(start_error)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(KubectlError::Failed { command: shown(arguments), message })
    }
}

fn shown(arguments: &[&str]) -> String {
    format!("kubectl {}", arguments.join(" "))
}
