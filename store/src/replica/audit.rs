//! Does the store show what the shares hold? (invariant I-PROJ, over everything)

use super::materialise::{Plan, plan};
use super::replicas::Replicas;
use super::verbs::ShareError;
use crate::sequencer::Commit;
use crate::store::Store;
use archipel_crdt::entry::DeletePolicy;
use archipel_crdt::key::ObjectKey;

impl Store {
    /// Objects of active shares whose local value does not show what the share holds, as `namespace: resource/name`;
    /// held ones aside. Empty unless something is wrong. Cost: decodes every shared object under the sequencer's lock;
    /// for tests and for an operator who doubts.
    ///
    /// # Errors
    /// The store stopped.
    pub fn audit_shares(&self) -> Result<Vec<String>, ShareError> {
        let (differing, _ticket) =
            self.commit_shares(|commit, replicas| Ok::<_, ShareError>(replicas.audit(commit)))?;
        Ok(differing)
    }

    /// Goes on where a crash interrupted: objects of active shares that are not entries yet become some. Once, after the
    /// start; requests may run beside it.
    ///
    /// # Errors
    /// The store stopped.
    pub async fn resume_shares(&self) -> Result<(), ShareError> {
        let active: Vec<u128> = {
            let replicas = self.replicas().lock();
            replicas.shares.values().filter(|replica| replica.is_active()).map(|replica| replica.share.id).collect()
        };
        for share in active {
            self.import(share).await?;
        }
        Ok(())
    }
}

impl Replicas {
    fn audit(&self, commit: &Commit<'_>) -> Vec<String> {
        let mut differing = Vec::new();
        for replica in self.shares.values().filter(|replica| replica.is_active()) {
            let differs = |key: &&ObjectKey| {
                let plan = plan(commit, self, replica, key, DeletePolicy::Background);
                !matches!(plan, Plan::Keep | Plan::Hold(_))
            };
            let keys = replica.objects.keys().filter(differs);
            differing.extend(keys.map(|key| format!("{}: {key}", replica.share.namespace)));
        }
        differing
    }
}
