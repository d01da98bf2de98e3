//! What follows when the hub's policies or consumer groups or routing change: outside the router, in files and in frontends.

use std::sync::Arc;

use ironhub_domain::auth::PolicySet;

use crate::amqp::AmqpContext;
use crate::router::Router;

/// Follows the router's changes until the node stops: receivers of deleted consumer groups and logs are detached, and `write`
/// puts down the keys of the policies as they are now.
pub(crate) fn follow(
    router: &Router,
    amqp: &Arc<AmqpContext>,
    write: impl Fn(&PolicySet) -> anyhow::Result<()> + 'static,
) {
    let (mut reading, amqp) = (router.watch_reading(), amqp.clone());
    actix_rt::spawn(async move {
        while reading.changed().await.is_ok() {
            amqp.detach_deleted();
        }
    });
    let (mut policies, router) = (router.watch_policies(), router.clone());
    actix_rt::spawn(async move {
        while policies.changed().await.is_ok() {
            if let Err(error) = write(&router.policies()) {
                tracing::error!(error = format!("{error:#}"), "hub.env has old keys");
            }
        }
    });
}
