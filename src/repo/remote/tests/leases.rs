//! Leases: chains of their own beside the branch.

use std::time::Duration;

use rstest::rstest;

use super::super::super::testing::Way;
use super::{By, Hub, remote_of};
use crate::model::{Token, TurnId};
use crate::publish::ObjectId;
use crate::repo::{LeaseMark, Renewed};

fn mark(token: &str) -> LeaseMark {
    LeaseMark {
        token: Token::from_text(token.to_owned()),
        turn: TurnId::from_parts(1, 2),
        length: Duration::from_mins(10),
    }
}

fn done(renewed: Renewed) -> ObjectId {
    match renewed {
        Renewed::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

#[rstest]
fn a_lease_is_a_chain_that_a_new_claim_replaces(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let (one, two) = (hub.clone(), hub.clone());
    let (ours, theirs) = (remote_of(&one, way), remote_of(&two, way));
    let base = hub.tip();
    assert_eq!(theirs.look_with_lease().unwrap().lease, None);

    let first = done(ours.renew_lease(&mark("ours")).unwrap());
    let second = done(ours.renew_lease(&mark("ours")).unwrap());
    assert_ne!(first, second);
    let seen = theirs.look_with_lease().unwrap();
    assert_eq!(seen.tip.as_ref(), Some(&base));
    let lease = seen.lease.unwrap();
    assert_eq!((lease.id, lease.token.as_deref()), (second.clone(), Some("ours")));
    // A look at the tip alone does not forget it.
    assert_eq!(theirs.look().unwrap(), Some(base.clone()));

    // The same holder, started anew, goes on with its chain.
    let third = done(remote_of(&one, way).renew_lease(&mark("ours")).unwrap());
    assert_eq!(hub.git(&["rev-parse", "refs/baton/main/lease~1"]), second.as_str());

    // Another claim has a chain of its own.
    let other = done(theirs.renew_lease(&mark("theirs")).unwrap());
    assert_eq!(hub.git(&["rev-list", "refs/baton/main/lease"]), other.as_str());
    assert_ne!(third, other);

    // Whoever held it before learns that, and only then may begin anew.
    let _ = done(ours.renew_lease(&mark("theirs")).unwrap());
    match theirs.renew_lease(&mark("theirs")).unwrap() {
        Renewed::Replaced { by: Some(by), tip } => {
            assert_eq!((by.token.as_deref(), tip), (Some("theirs"), Some(base.clone())));
        }
        other => panic!("{other:?}"),
    }
    let _ = done(theirs.renew_lease(&mark("theirs")).unwrap());

    assert_eq!(hub.tip(), base);
    assert_eq!(hub.git(&["ls-tree", "refs/baton/main/lease"]), "");
    theirs.forget_lease().unwrap();
    assert_eq!(theirs.look_with_lease().unwrap().lease, None);
    assert_eq!(ours.look_with_lease().unwrap().lease, None);
    theirs.forget_lease().unwrap();
    assert_eq!(hub.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    hub.assert_sound();
}

#[rstest]
fn a_server_that_takes_no_leases_says_so(#[values(Way::Library, Way::Program)] way: Way) {
    let hub = Hub::new(By::Path);
    hub.hook("update", "case \"$1\" in refs/heads/*) ;; *) echo 'only branches'; exit 1;; esac");
    let clone = hub.clone();
    match remote_of(&clone, way).renew_lease(&mark("ours")).unwrap() {
        Renewed::Refused(refusal) => assert_eq!(
            refusal.to_string(),
            format!(
                "the remote `origin` ({}) does not take this push to `refs/baton/main/lease` (hook declined); put right what it names, or have its owner allow it:\n        remote: only branches\n        remote: error: hook declined to update refs/baton/main/lease",
                hub.url
            )
        ),
        other => panic!("{other:?}"),
    }
}
