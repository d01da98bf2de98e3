//! Opening service links, and ending them with the token that opened them.

use bytes::Bytes;
use ironhub_domain::auth::Permissions;
use ironhub_wire::amqp::{Attach, Error, LinkId, condition};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ServiceNode;
use crate::amqp::session::{Session, wall_clock};

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Opens a service link; ServiceConnect on its address is what it takes (service-protocols.md 1.1).
    pub(in crate::amqp) fn attach_service(
        &mut self,
        link: LinkId,
        attach: &Attach,
        node: ServiceNode,
    ) -> Result<(), Error> {
        if !self.allows_service(node) {
            let text = "no token of this connection allows this: it takes ServiceConnect";
            return Err(Error::new(condition::UNAUTHORIZED_ACCESS, text));
        }
        if self.context.options.services.is_none() {
            return Err(Error::new(condition::NOT_FOUND, "the hub has no node of this address"));
        }
        let reply = self.services.get_or_insert_default().attach(link, attach, node)?;
        self.connection.accept(link, attach, reply);
        Ok(())
    }

    /// A message on a service link; false if the link is none.
    pub(in crate::amqp) fn service_transfer(
        &mut self,
        link: LinkId,
        how: (u32, bool),
        message: &Bytes,
    ) -> bool {
        match (&mut self.services, &self.context.options.services) {
            (Some(services), Some(router)) => {
                services.on_transfer(link, how, message, &mut self.connection, router)
            }
            _ => false,
        }
    }

    /// Credit on a service link; false if the link is none.
    pub(in crate::amqp) fn service_sendable(&mut self, link: LinkId, drain: bool) -> bool {
        match (&mut self.services, &self.context.options.services) {
            (Some(services), Some(router)) => {
                services.on_sendable(link, drain, &mut self.connection, router)
            }
            _ => false,
        }
    }

    /// The link is gone, if it was a service link.
    pub(in crate::amqp) fn service_detached(&mut self, link: LinkId) {
        if let (Some(services), Some(router)) = (&mut self.services, &self.context.options.services)
        {
            services.on_detached(link, router);
        }
    }

    /// All links are gone.
    pub(in crate::amqp) fn clear_services(&mut self) {
        if let (Some(services), Some(router)) = (&mut self.services, &self.context.options.services)
        {
            services.clear(router);
        }
    }

    /// Detaches service links whose token has ended.
    pub(in crate::amqp) fn expire_services(&mut self) {
        let expired: Vec<LinkId> = self
            .services
            .iter()
            .flat_map(|services| services.nodes())
            .filter(|(_, node)| !self.allows_service(*node))
            .map(|(link, _)| link)
            .collect();
        for link in expired {
            self.service_detached(link);
            let error = Error::new(condition::UNAUTHORIZED_ACCESS, "the token has expired");
            self.connection.detach(link, Some(error));
        }
    }

    fn allows_service(&self, node: ServiceNode) -> bool {
        self.grants.allow(Permissions::SERVICE_CONNECT, &[node.path()], wall_clock())
    }
}
