//! The way to the event hub for clients that know the hub's own address only (service-protocols.md 4.9).

use std::time::Duration;

use ironhub_wire::amqp::{Attach, AttachReply, LinkId, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::links::{Link, REQUEST_BYTES_MAX};
use super::session::Session;
use super::{AMQPS_PORT, address, eventhub};

/// How long a receiver that is shown another way may take to grant credit.
const REDIRECT_TIME_MAX: Duration = Duration::from_millis(500);

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Attaches, and detaches with the way to the event hub: an attach that failed would not be taken for a redirect.
    /// A receiver is detached when it grants credit, or after [`REDIRECT_TIME_MAX`]. Clients of rhea-promise, Azure IoT
    /// Explorer among them, begin to look for the error after they have seen the attach: one that comes with it is lost to
    /// them.
    pub(super) fn redirect(&mut self, link: LinkId, attach: &Attach, text: &str) {
        let options = &self.context.options;
        let below = address::relative(text).splitn(3, '/').nth(2).unwrap_or_default();
        let path = format!("{}/{below}", options.events.entity_name());
        let error = eventhub::redirect(&options.hub_host, AMQPS_PORT, &path);
        let reply = AttachReply { max_message_size: REQUEST_BYTES_MAX, ..AttachReply::default() };
        self.connection.accept(link, attach, reply);
        match attach.role {
            Role::Sender => self.connection.detach(link, Some(error)),
            Role::Receiver => {
                self.links.insert(link, Link::Redirected(Box::new(error)));
                self.redirect_due = Some(Instant::now() + REDIRECT_TIME_MAX);
            }
        }
    }

    /// Detaches those that were shown another way and did not grant credit.
    pub(super) fn redirect_all(&mut self) {
        let redirected = |(id, link): (LinkId, &Link)| match link {
            Link::Redirected(error) => Some((id, (**error).clone())),
            _ => None,
        };
        let redirected: Vec<_> = self.links.iter().filter_map(redirected).collect();
        for (link, error) in redirected {
            self.detach(link, error);
        }
    }
}
