//! The steps of the share protocol, as functions from a state and an event to a [`Step`].

use crate::lens::may_share;

use super::types::{Announcement, Authority, Member, Refusal, Share, Stage, Step};

/// Our admin offers `namespace` to `peer`. `current` is the share that the namespace is in, if any. An invitation of the
/// same peer is accepted by it: two matching offers are two consents.
///
/// # Errors
/// The namespace is a system namespace, or is shared already.
pub fn attach(current: Option<&Share>, id: u128, namespace: &str, own: Member, peer: Member) -> Result<Step, Refusal> {
    if !may_share(namespace) {
        return Err(Refusal::SystemNamespace(namespace.to_owned()));
    }
    match current {
        None => {
            let peer = Member { actor: None, ..peer };
            let (namespace, stage) = (namespace.to_owned(), Stage::Proposed);
            Ok(told(Share { id, namespace, stage, own, peer, authority: Authority::All, epoch: 0 }, false))
        }
        Some(share) if share.peer.site_id == peer.site_id => match share.stage {
            Stage::Invited => Ok(activate(share.clone(), own)),
            Stage::Proposed | Stage::Active => Ok(told(share.clone(), false)),
        },
        Some(share) => Err(already_shared(share)),
    }
}

/// Our admin accepts what the peer called `from` offered.
///
/// # Errors
/// There is no such offer.
pub fn accept(current: Option<&Share>, namespace: &str, from: &str, own: Member) -> Result<Step, Refusal> {
    match current {
        Some(share) if share.peer.name == from && share.stage == Stage::Invited => Ok(activate(share.clone(), own)),
        Some(share) if share.peer.name == from && share.stage == Stage::Active => Ok(told(share.clone(), false)),
        _ => Err(Refusal::NotInvited { namespace: namespace.to_owned(), peer: from.to_owned(), own: own.name }),
    }
}

/// Our admin, or the end of our namespace, takes this site out of the share. Objects stay.
pub fn on_detach(share: &Share) -> Step {
    let announce = Announcement { stage: None, ..announcement(share) };
    Step { share: None, activated: false, announce: Some(announce) }
}

/// The peer said where it stands. `current` is what we hold for the announced *namespace*; `peer` is who the session
/// authenticated, whatever the message claims.
pub fn on_announcement(current: Option<&Share>, message: &Announcement, own: &Member, peer: &Member) -> Step {
    let unchanged = |share: Option<&Share>, announce| Step { share: share.cloned(), activated: false, announce };
    let sender = Member { actor: message.sender.actor, ..peer.clone() };
    let not_held = Announcement { stage: None, sender: own.clone(), ..message.clone() };
    match (current, message.stage) {
        (None, Some(Stage::Proposed)) if may_share(&message.namespace) => {
            let share = Share {
                id: message.id,
                namespace: message.namespace.clone(),
                stage: Stage::Invited,
                own: own.clone(),
                peer: sender,
                authority: Authority::All,
                epoch: 0,
            };
            unchanged(Some(&share), None)
        }
        // The peer stands on a share that we left: tell it. A refusal of ours needs no answer.
        (None, Some(_)) => unchanged(None, Some(not_held)),
        (None, None) => unchanged(None, None),
        (Some(share), _) if share.peer.site_id != peer.site_id => {
            let answer = message.stage.is_some().then_some(not_held);
            unchanged(Some(share), answer)
        }
        (Some(share), stage) if share.id != message.id => on_other_share(share, stage, message, sender, own),
        (Some(share), Some(Stage::Active)) if share.stage == Stage::Proposed => {
            activate(Share { peer: sender, ..share.clone() }, own.clone())
        }
        // The peer still waits for our consent, which we gave: say so again.
        (Some(share), Some(Stage::Proposed)) if share.stage == Stage::Active => {
            unchanged(Some(share), Some(announcement(share)))
        }
        (Some(share), None) if share.stage != Stage::Proposed || message.sender.actor.is_some() => {
            Step { share: None, activated: false, announce: None }
        }
        (Some(share), _) => unchanged(Some(share), None),
    }
}

/// Both sites made a share of the same namespace. Two offers meet: the smaller id stands, and both consents are given.
fn on_other_share(share: &Share, stage: Option<Stage>, message: &Announcement, sender: Member, own: &Member) -> Step {
    let unchanged = |announce| Step { share: Some(share.clone()), activated: false, announce };
    match (share.stage, stage) {
        (Stage::Proposed, Some(Stage::Proposed)) if message.id < share.id => {
            let adopted = Share { id: message.id, peer: sender, ..share.clone() };
            activate(adopted, own.clone())
        }
        (Stage::Invited, Some(Stage::Proposed)) => {
            let renewed = Share { id: message.id, peer: sender, ..share.clone() };
            Step { share: Some(renewed), activated: false, announce: None }
        }
        (_, Some(Stage::Active)) => {
            unchanged(Some(Announcement { stage: None, sender: own.clone(), ..message.clone() }))
        }
        _ => unchanged(None),
    }
}

/// What we tell the peer of `share`.
fn announcement(share: &Share) -> Announcement {
    Announcement {
        id: share.id,
        namespace: share.namespace.clone(),
        stage: Some(share.stage),
        sender: share.own.clone(),
    }
}

impl Share {
    /// Where we stand, as said to the peer whenever a session opens. An invitation that we have not answered is silent.
    pub fn announcement(&self) -> Option<Announcement> {
        (self.stage != Stage::Invited).then(|| announcement(self))
    }
}

fn activate(share: Share, own: Member) -> Step {
    told(Share { stage: Stage::Active, own, ..share }, true)
}

fn told(share: Share, activated: bool) -> Step {
    let announce = Some(announcement(&share));
    Step { share: Some(share), activated, announce }
}

fn already_shared(share: &Share) -> Refusal {
    Refusal::AlreadyShared { namespace: share.namespace.clone(), peer: share.peer.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u128, name: &str) -> Member {
        Member { site_id: id, name: name.to_owned(), actor: Some(id * 10) }
    }

    /// Two sites and the messages between them.
    struct Pair {
        sites: [(Member, Option<Share>); 2],
        activations: [u32; 2],
    }

    impl Pair {
        fn new() -> Pair {
            Pair { sites: [(member(1, "nantes"), None), (member(2, "rennes"), None)], activations: [0, 0] }
        }

        fn take(&mut self, at: usize, step: Step) {
            self.activations[at] += u32::from(step.activated);
            self.sites[at].1 = step.share;
            if let Some(message) = step.announce {
                self.deliver(at, &message);
            }
        }

        fn deliver(&mut self, from: usize, message: &Announcement) {
            let to = 1 - from;
            let (own, current) = self.sites[to].clone();
            let step = on_announcement(current.as_ref(), message, &own, &self.sites[from].0.clone());
            self.take(to, step);
        }

        fn attach(&mut self, at: usize, id: u128) -> Result<(), Refusal> {
            let step = attach(
                self.sites[at].1.as_ref(),
                id,
                "team-a",
                self.sites[at].0.clone(),
                self.sites[1 - at].0.clone(),
            )?;
            self.take(at, step);
            Ok(())
        }

        fn accept(&mut self, at: usize) -> Result<(), Refusal> {
            let from = self.sites[1 - at].0.name.clone();
            let step = accept(self.sites[at].1.as_ref(), "team-a", &from, self.sites[at].0.clone())?;
            self.take(at, step);
            Ok(())
        }

        fn stages(&self) -> [Option<Stage>; 2] {
            [0, 1].map(|i| self.sites[i].1.as_ref().map(|s| s.stage))
        }
    }

    #[test]
    fn both_consents_make_it_active_once() {
        let mut pair = Pair::new();
        pair.attach(0, 7).unwrap();
        assert_eq!(pair.stages(), [Some(Stage::Proposed), Some(Stage::Invited)]);
        pair.accept(1).unwrap();
        assert_eq!(pair.stages(), [Some(Stage::Active); 2]);
        for at in [0, 1] {
            let again = pair.sites[at].1.as_ref().and_then(Share::announcement).unwrap();
            pair.deliver(at, &again);
        }
        assert_eq!((pair.stages(), pair.activations), ([Some(Stage::Active); 2], [1, 1]));
    }

    #[test]
    fn accepting_without_an_offer_says_who_must_offer() {
        let mut pair = Pair::new();
        let refusal = pair.accept(1).unwrap_err().to_string();
        assert!(refusal.contains("archipel share attach -n team-a --with rennes"), "{refusal}");
    }

    #[test]
    fn two_offers_that_cross_meet() {
        let mut pair = Pair::new();
        let offer = |pair: &Pair, at: usize, id| {
            attach(None, id, "team-a", pair.sites[at].0.clone(), pair.sites[1 - at].0.clone()).unwrap()
        };
        let (a, b) = (offer(&pair, 0, 7), offer(&pair, 1, 9));
        (pair.sites[0].1, pair.sites[1].1) = (a.share, b.share);
        pair.deliver(0, &a.announce.unwrap());
        pair.deliver(1, &b.announce.unwrap());
        assert_eq!(pair.stages(), [Some(Stage::Active); 2]);
        assert_eq!([0, 1].map(|i| pair.sites[i].1.as_ref().unwrap().id), [7, 7]);
        assert_eq!(pair.activations, [1, 1]);
    }

    #[test]
    fn detaching_ends_it_at_both_also_when_the_message_was_lost() {
        let mut pair = Pair::new();
        pair.attach(0, 7).unwrap();
        pair.accept(1).unwrap();
        let lost = on_detach(pair.sites[1].1.as_ref().unwrap());
        pair.sites[1].1 = lost.share;
        let greeting = pair.sites[0].1.as_ref().and_then(Share::announcement).unwrap();
        pair.deliver(0, &greeting);
        assert_eq!(pair.stages(), [None, None]);
    }

    #[test]
    fn what_is_stored_and_sent_reads_back() {
        let own = Member { site_id: u128::MAX, name: "nantes".into(), actor: Some(1 << 100) };
        let step = attach(None, 7, "team-a", own, member(2, "rennes")).unwrap();
        let (share, message) = (step.share.unwrap(), step.announce.unwrap());
        assert_eq!(Share::from_bytes(&share.to_bytes()).unwrap(), share);
        assert_eq!(Announcement::from_bytes(&message.to_bytes()).unwrap(), message);
    }

    #[test]
    fn system_namespaces_and_other_peers_are_refused() {
        let own = member(1, "nantes");
        assert!(matches!(
            attach(None, 7, "kube-system", own.clone(), member(2, "rennes")),
            Err(Refusal::SystemNamespace(_))
        ));
        let share = attach(None, 7, "team-a", own.clone(), member(2, "rennes")).unwrap().share;
        assert!(matches!(
            attach(share.as_ref(), 8, "team-a", own.clone(), member(3, "brest")),
            Err(Refusal::AlreadyShared { .. })
        ));
        let stranger =
            Announcement { id: 7, namespace: "team-a".into(), stage: Some(Stage::Active), sender: member(3, "brest") };
        let step = on_announcement(share.as_ref(), &stranger, &own, &member(3, "brest"));
        assert_eq!((step.share, step.activated), (share, false));
    }
}
