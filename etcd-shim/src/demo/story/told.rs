//! The teller: runs commands at a site, waits for what should hold, and keeps going when it does not.

use std::time::Duration;

use super::NAMESPACE;
use crate::demo::kubernetes::{Api, ApiError, KubectlError, ProcessError, eventually};
use crate::demo::narrator::Narrator;
use crate::demo::objects;
use crate::demo::pair::Pair;
use crate::demo::site::{Site, SiteError};

/// At which site something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Nantes,
    Rennes,
}

/// Why the story cannot go on. (A step that merely did not hold is told, and the story goes on.)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoryError {
    /// A verb of archipel failed.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// A request failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A program ended.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The wire between the sites could not be mended.
    #[error("cannot mend the wire: {0}")]
    Wire(#[from] std::io::Error),
}

/// The story on a pair of running sites.
#[derive(Debug)]
pub struct Story<'a> {
    pub(super) pair: &'a mut Pair,
    pub(super) narrator: &'a mut Narrator,
}

impl<'a> Story<'a> {
    /// A story that starts with two sites that have just started.
    pub fn new(pair: &'a mut Pair, narrator: &'a mut Narrator) -> Story<'a> {
        Story { pair, narrator }
    }

    /// Tells all of it. What did not hold is in [`Narrator::broken`].
    ///
    /// # Errors
    /// [`StoryError`] when it cannot go on.
    pub async fn tell(&mut self) -> Result<(), StoryError> {
        self.introduce();
        self.meet().await?;
        self.settle().await?;
        self.share().await?;
        self.edit_across().await?;
        self.cut().await;
        self.edit_apart().await?;
        self.crash().await?;
        self.heal().await?;
        self.leave().await?;
        Ok(self.pair.check()?)
    }

    pub(super) fn site(&self, place: Place) -> &Site {
        match place {
            Place::Nantes => &self.pair.nantes,
            Place::Rennes => &self.pair.rennes,
        }
    }

    /// Clones, so that a condition can be looked at while the story is told.
    pub(super) fn apis(&self) -> (Api, Api) {
        (self.pair.nantes.api().clone(), self.pair.rennes.api().clone())
    }

    /// Runs kubectl in the story's namespace.
    pub(super) async fn kubectl(&self, place: Place, arguments: &[&str]) -> Result<String, StoryError> {
        let site = self.site(place);
        let arguments = [&["-n", NAMESPACE], arguments].concat();
        self.narrator.command(site.name(), &format!("kubectl {}", shell_words(&arguments)));
        Ok(site.kubectl().run(&arguments).await?)
    }

    /// Runs a verb of archipel.
    pub(super) async fn archipel(&self, place: Place, verb: &[&str]) -> Result<String, StoryError> {
        let site = self.site(place);
        self.narrator.command(site.name(), &format!("archipel {}", verb.join(" ")));
        Ok(site.archipel(verb).await?)
    }

    /// Waits until `look` is content, and tells whether and when it was.
    pub(super) async fn expect<T, F>(&mut self, what: &str, look: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, String>>,
    {
        match eventually(look).await {
            Ok((value, after)) => {
                self.narrator.held(what, Some(after));
                Some(value)
            }
            Err(seen) => {
                self.narrator.broke(what, &seen);
                None
            }
        }
    }

    /// Tells whether something holds right now.
    pub(super) fn note(&mut self, what: &str, held: Result<(), String>) {
        match held {
            Ok(()) => self.narrator.held(what, None),
            Err(seen) => self.narrator.broke(what, &seen),
        }
    }

    /// Waits until both sites show the same shared parts of the story's objects.
    pub(super) async fn expect_same(&mut self, what: &str, secrets: &[&str]) {
        let (nantes, rennes) = self.apis();
        let mut paths = vec![
            objects::config_map(NAMESPACE, "settings"),
            objects::service_account(NAMESPACE, "web"),
            objects::deployment(NAMESPACE, "web"),
        ];
        paths.extend(secrets.iter().map(|name| objects::secret(NAMESPACE, name)));
        self.expect(what, || same(&nantes, &rennes, &paths)).await;
    }
}

/// Checks that the objects at `paths` have equal shared parts at both sites.
async fn same(nantes: &Api, rennes: &Api, paths: &[String]) -> Result<(), String> {
    for path in paths {
        let (here, there) = tokio::join!(nantes.get(path), rennes.get(path));
        let here = objects::shared_part(&here.map_err(|error| error.to_string())?);
        let there = objects::shared_part(&there.map_err(|error| error.to_string())?);
        if here != there {
            return Err(format!("{path} differs: {here} at nantes, {there} at rennes"));
        }
    }
    Ok(())
}

/// The time as far as it goes into a sentence.
pub(super) fn in_words(duration: Duration) -> String {
    crate::demo::narrator::time(duration)
}

fn shell_words(arguments: &[&str]) -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:@,".contains(c));
    let quoted = arguments.iter().map(|word| if plain(word) { (*word).to_owned() } else { format!("'{word}'") });
    quoted.collect::<Vec<_>>().join(" ")
}
