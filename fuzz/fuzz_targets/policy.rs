//! A policy accepts exactly whom it names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::protocol::policy::{Identity, IdentityMatcher, Policy};

fuzz_target!(|names: (String, String, String, String)| {
    let (issuer, subject, other_issuer, other_subject) = names;
    let identity = Identity {
        issuer: issuer.clone(),
        subject: subject.clone(),
    };
    let other = Identity {
        issuer: other_issuer,
        subject: other_subject,
    };
    let Ok(matcher) = IdentityMatcher::exact(issuer, subject) else {
        assert!(identity.issuer.is_empty() || identity.subject.is_empty());
        return;
    };
    let policy = Policy::any_of([matcher]).expect("there is one");
    assert_eq!(policy.permit(other.clone()).is_ok(), other == identity);
    policy.permit(identity).expect("it is named");
});
