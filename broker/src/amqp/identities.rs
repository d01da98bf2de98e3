//! The connection's side of device links: who may attach, and what an identity's end means for the connection.

use ironhub_domain::ids::IdentityId;
use ironhub_wire::amqp::{Attach, Error, LinkId, condition};
use tokio::io::{AsyncRead, AsyncWrite};

use super::device::address::DeviceAddress;
use super::links::Link;
use super::session::{Session, wall_clock};
use crate::router::request::Credentials;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Opens a link of a device or module that the client may act as.
    pub(super) fn attach_device(
        &mut self,
        link: LinkId,
        attach: &Attach,
        address: DeviceAddress,
    ) -> Result<(), Error> {
        let DeviceAddress { identities, node } = address;
        let (identity, credentials) = self.credentials(identities).ok_or_else(|| {
            let text = "neither a token nor the certificate of this connection is this identity's";
            Error::new(condition::UNAUTHORIZED_ACCESS, text)
        })?;
        self.devices.attach(link, attach, identity, node, credentials, &mut self.connection)
    }

    /// Which of the readings of an address the client may be, and by what; whether that is so is for the owner to say.
    fn credentials(&self, identities: Vec<IdentityId>) -> Option<(IdentityId, Credentials)> {
        let (now, certificate) = (wall_clock(), &self.certificate);
        let token = |identity: &IdentityId| self.grants.token_of(identity, now);
        let at = identities.iter().position(|identity| token(identity).is_some());
        if at.is_none() && certificate.is_none() {
            return None;
        }
        let identity = identities.into_iter().nth(at.unwrap_or(0))?;
        let credentials = Credentials {
            token: token(&identity).map(str::to_owned),
            certificate: certificate.clone(),
        };
        Some((identity, credentials))
    }

    /// Lets devices do what they can. A connection that belonged to one identity alone ends when that is taken over
    /// (device-protocols.md 3.12).
    pub(super) fn work_devices(&mut self) {
        self.devices.work(&mut self.connection);
        if self.token_due.is_some() && self.devices.any_open() {
            self.token_due = None;
        }
        let cbs = |link: &Link| matches!(link, Link::CbsRequests | Link::CbsReplies);
        if self.devices.was_taken_over() && self.grants.len() <= 1 && self.links.values().all(cbs) {
            let text = "a newer connection of this device took over";
            self.close_with(Error::new(condition::STOLEN, text));
        }
    }
}
