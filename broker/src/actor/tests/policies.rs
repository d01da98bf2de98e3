use futures_util::future::join_all;
use ironhub_domain::HubError;
use ironhub_domain::auth::{Permissions, Policy, SymmetricKeys};
use ironhub_domain::registry::PolicyKey;

use super::rig::*;
use crate::router::Router;

fn policy(permissions: Permissions) -> Policy {
    Policy { name: "mine".into(), keys: SymmetricKeys::default(), permissions }
}

#[test]
fn of_changes_of_a_policy_at_the_same_time_none_is_lost() {
    run(|| async {
        let hub = Hub::new().await;
        let (made, is_new) = hub.router.set_policy(policy(Permissions::ALL)).await.unwrap();
        assert!(is_new);
        // A router for each, as nodes have: nothing but the record is theirs together.
        let router = || Router::new(hub.state.clone());
        let keys = [PolicyKey::Primary, PolicyKey::Secondary].into_iter().cycle().take(6);
        let regenerate = keys.map(|key| {
            let router = router();
            async move { (key, router.regenerate_policy_key("mine", key).await.unwrap()) }
        });
        let narrow = router();
        let narrow = narrow.set_policy(policy(Permissions::SERVICE_CONNECT));
        let (regenerated, narrowed) = tokio::join!(join_all(regenerate), narrow);
        assert_eq!(narrowed.map(|(_, is_new)| is_new), Ok(false));
        let after = hub.router.policies().get("mine").cloned().unwrap();
        assert_eq!(after.permissions, Permissions::SERVICE_CONNECT, "a new key widens nothing");
        for (key, now, before) in [
            (PolicyKey::Primary, &after.keys.primary, &made.keys.primary),
            (PolicyKey::Secondary, &after.keys.secondary, &made.keys.secondary),
        ] {
            assert_ne!(now, before, "{key:?}");
            let given =
                regenerated.iter().filter(|(of, _)| *of == key).map(|(_, given)| match key {
                    PolicyKey::Secondary => &given.keys.secondary,
                    _ => &given.keys.primary,
                });
            assert_eq!(given.filter(|given| *given == now).count(), 1, "the last one counts");
        }
    });
}

#[test]
fn a_policy_that_is_deleted_meanwhile_does_not_come_back() {
    run(|| async {
        let hub = Hub::new().await;
        hub.router.set_policy(policy(Permissions::ALL)).await.unwrap();
        let (regenerated, deleted) = tokio::join!(
            hub.router.regenerate_policy_key("mine", PolicyKey::Primary),
            hub.router.delete_policy("mine")
        );
        assert_eq!(deleted, Ok(()));
        let gone = HubError::PolicyNotFound("mine".into());
        assert!(regenerated.is_ok() || regenerated == Err(gone), "either came first");
        assert!(hub.router.policies().get("mine").is_none());
    });
}
