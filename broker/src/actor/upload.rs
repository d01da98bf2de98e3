//! File uploads that a device has announced (device-protocols.md 5): tickets in the records, nothing in memory.

use ironhub_domain::HubError;
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::upload::{UploadResult, UploadTicket};

use super::call::Reply;
use super::device::{Ctx, DeviceActor, now};
use crate::partition::records;

impl DeviceActor {
    pub(super) fn open_upload(&self, ticket: UploadTicket, reply: Reply<()>) {
        let device = self.id.clone();
        self.upload_command(Command::OpenUpload { device, ticket, now: now() }, reply);
    }

    pub(super) fn close_upload(
        &self,
        correlation_id: String,
        result: UploadResult,
        notify: bool,
        reply: Reply<()>,
    ) {
        let device = self.id.clone();
        let close = Command::CloseUpload { device, correlation_id, result, notify, now: now() };
        self.upload_command(close, reply);
    }

    fn upload_command(&self, command: Command, reply: Reply<()>) {
        match self.check_may_act(None) {
            Ok(()) => self.owner.propose(&command, |outcome: Result<Outcome, HubError>| {
                let _ = reply.send(outcome.map(|_| ()));
            }),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// An open upload that can still be finished.
    pub(super) fn upload(
        &mut self,
        correlation_id: String,
        reply: Reply<UploadTicket>,
        ctx: &mut Ctx,
    ) {
        self.after_barrier(ctx, move |actor, passed| {
            let tickets = passed.and_then(|()| actor.check_may_act(None)).and_then(|()| {
                actor.owner.read(|store, group| records::uploads(store, group, &actor.id))
            });
            let ticket = tickets.and_then(|tickets| {
                let named = |ticket: &UploadTicket| ticket.correlation_id == correlation_id;
                match tickets.into_iter().find(named) {
                    None => Err(HubError::UploadNotFound(correlation_id)),
                    Some(ticket) if ticket.expires <= now() => Err(HubError::UploadExpired),
                    Some(ticket) => Ok(ticket),
                }
            });
            let _ = reply.send(ticket);
        });
    }
}
