//! The verbs of the command line that the demo uses, and what it reads from their JSON.

use serde_json::Value;

use super::site::{Site, SiteError};

impl Site {
    /// `archipel peer invite`: a token for one other site.
    ///
    /// # Errors
    /// [`SiteError::Verb`].
    pub async fn invite(&self) -> Result<String, SiteError> {
        let output = self.archipel(&["peer", "invite"]).await?;
        Ok(output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned())
    }

    /// `archipel status -o json`.
    ///
    /// # Errors
    /// [`SiteError::Verb`].
    pub async fn status(&self) -> Result<Value, SiteError> {
        self.archipel_json(&["status", "-o", "json"]).await
    }

    /// `archipel conflicts list -o json`: one value a conflict.
    ///
    /// # Errors
    /// [`SiteError::Verb`].
    pub async fn conflicts(&self, namespace: &str) -> Result<Vec<Value>, SiteError> {
        let list = self.archipel_json(&["conflicts", "list", "-n", namespace, "-o", "json"]).await?;
        Ok(list.get("conflicts").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// Checks that `status` shows the peer `name` with a session (`connected`) or without one.
    ///
    /// # Errors
    /// What it shows instead.
    pub async fn peer_connected(&self, name: &str, connected: bool) -> Result<(), String> {
        let status = self.status().await.map_err(|error| error.to_string())?;
        let peer = named(&status, "peers", "name", name)
            .ok_or_else(|| format!("{} does not know a peer {name}", self.name()))?;
        let seen = peer.get("connected").and_then(Value::as_bool).unwrap_or(false);
        if seen == connected {
            return Ok(());
        }
        Err(format!("{} shows its link with {name} as {}", self.name(), if seen { "up" } else { "down" }))
    }

    /// Checks that `status` shows the share of `namespace` as active.
    ///
    /// # Errors
    /// What it shows instead.
    pub async fn share_active(&self, namespace: &str) -> Result<(), String> {
        match self.share_state(namespace).await?.as_deref() {
            Some("active") => Ok(()),
            state => Err(format!("the share of {namespace} at {} is {}", self.name(), state.unwrap_or("not there"))),
        }
    }

    /// Checks that this site shares `namespace` with nobody (any more).
    ///
    /// # Errors
    /// What it shows instead.
    pub async fn share_gone(&self, namespace: &str) -> Result<(), String> {
        match self.share_state(namespace).await? {
            None => Ok(()),
            Some(state) => Err(format!("the share of {namespace} at {} is still {state}", self.name())),
        }
    }

    async fn share_state(&self, namespace: &str) -> Result<Option<String>, String> {
        let status = self.status().await.map_err(|error| error.to_string())?;
        let share = named(&status, "shares", "namespace", namespace);
        Ok(share.and_then(|share| share.get("state")).and_then(Value::as_str).map(str::to_owned))
    }

    /// How many entries the share of `namespace` has ever had, of all members: the sum of its version vector. Two equal
    /// answers at different times mean that nobody wrote in between.
    ///
    /// # Errors
    /// That there is no such share, or why it cannot be known.
    pub async fn entries(&self, namespace: &str) -> Result<u64, String> {
        let status = self.status().await.map_err(|error| error.to_string())?;
        named(&status, "shares", "namespace", namespace)
            .and_then(|share| share.get("entries"))
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("{} shows no share of {namespace}", self.name()))
    }
}

/// The element of the array `list` whose field `field` is `name`.
fn named<'a>(status: &'a Value, list: &str, field: &str, name: &str) -> Option<&'a Value> {
    status.get(list)?.as_array()?.iter().find(|item| item.get(field).and_then(Value::as_str) == Some(name))
}
