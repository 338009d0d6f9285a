//! Two sites that do not know each other become peers.

use super::told::{Place, Story, StoryError, in_words};
use crate::demo::kubernetes::eventually;

impl Story<'_> {
    /// Says what is running.
    pub fn introduce(&mut self) {
        self.narrator.chapter("Two sites, each a whole Kubernetes on its own store");
        for site in self.pair.sites() {
            let (store, apiserver) = (site.store_serving_after(), site.plane().ready_after());
            self.narrator.held(
                &format!(
                    "{}: archipel serves after {}, kube-apiserver is ready {} later",
                    site.name(),
                    in_words(store),
                    in_words(apiserver)
                ),
                None,
            );
        }
    }

    /// A token of nantes makes the two sites peers.
    ///
    /// # Errors
    /// [`StoryError`] when a verb fails.
    pub async fn meet(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("They become peers, with a token that is good for one use");
        self.narrator.command("nantes", "archipel peer invite");
        let token = self.pair.nantes.invite().await?;
        let beginning: String = token.chars().take(16).collect();
        self.narrator.command("rennes", &format!("archipel peer accept {beginning}…"));
        self.site(Place::Rennes).archipel(&["peer", "accept", &token]).await?;
        let connected = eventually(async || {
            self.pair.nantes.peer_connected("rennes", true).await?;
            self.pair.rennes.peer_connected("nantes", true).await
        })
        .await;
        match connected {
            Ok(((), after)) => self.narrator.held("the link between them is up", Some(after)),
            Err(seen) => self.narrator.broke("the link between them is up", &seen),
        }
        Ok(())
    }
}
