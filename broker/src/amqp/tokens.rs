//! Tokens in the life of a connection: put, renewed, ended.

use ironhub_domain::HubError;
use ironhub_wire::amqp::{DeliveryState, Error, LinkId, Text, Value, condition};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::asking::{self, Asker, Good, PutToken};
use super::cbs::{self, Shower};
use super::links::Link;
use super::metrics;
use super::requests::Answer;
use super::session::{Session, wall_clock};
use crate::router::request::Credentials;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn on_plain(&mut self, user: &Text, password: &Text) {
        match cbs::plain(user.as_str(), password.as_str(), &self.context, wall_clock()) {
            Ok(shown) => self.asking.ask(Asker::Plain, shown),
            Err(error) => self.on_verdict(Asker::Plain, Err(error)),
        }
    }

    pub(super) fn on_put_token(&mut self, put: PutToken) {
        if !self.asking.push(put) {
            let text = "put-token requests come faster than they are answered";
            self.close_with(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
    }

    /// Examines the tokens that wait, as far as that can be done now.
    pub(super) fn work_tokens(&mut self) {
        loop {
            while let Some((asker, verdict)) = self.asking.poll() {
                self.on_verdict(asker, verdict);
            }
            let Some(put) = self.asking.next() else { return };
            match cbs::put_token(&put.request, &self.context, wall_clock()) {
                Ok(shown) => match shown.bearer.clone() {
                    Shower::Policy(principal) => {
                        let good = Good::of_policy(shown, principal);
                        self.on_verdict(Asker::Put(Box::new(put)), Ok(good));
                    }
                    Shower::Identities(..) => self.asking.ask(Asker::Put(Box::new(put)), shown),
                },
                Err(answer) => {
                    metrics::token(false);
                    self.answer_put(&put, &answer);
                }
            }
        }
    }

    fn on_verdict(&mut self, asker: Asker, verdict: Result<Good, HubError>) {
        metrics::token(verdict.is_ok());
        let outcome = match verdict {
            Ok(good) => self.grant(&good),
            Err(error) => {
                tracing::debug!(%error, "credentials refused");
                Err(Answer::failed(asking::status(&error), None, &error.to_string()))
            }
        };
        match asker {
            Asker::Plain => {
                self.plain = outcome.is_ok();
                self.connection.sasl_outcome(outcome.is_ok());
            }
            Asker::Put(put) => {
                let answer = outcome.map_or_else(|failed| failed, |()| Answer::ok(Value::Null));
                self.answer_put(&put, &answer);
            }
        }
    }

    /// Takes a token that a request brought along, as if it had been put for `$management`.
    pub(super) fn on_brought(&mut self, token: &str) -> Result<(), Answer> {
        let verdict = cbs::brought(token, &self.context, wall_clock());
        metrics::token(verdict.is_ok());
        let (shown, principal) = verdict.map_err(|error| {
            tracing::debug!(%error, "credentials refused");
            let unauthorized = Some(condition::UNAUTHORIZED_ACCESS);
            Answer::failed(asking::status(&error), unauthorized, &error.to_string())
        })?;
        self.grant(&Good::of_policy(shown, principal))
    }

    fn grant(&mut self, good: &Good) -> Result<(), Answer> {
        let (now, bearer) = (wall_clock(), good.bearer.clone());
        let put = self.grants.put(&good.audience, bearer, &good.token, good.expires, now);
        put.map_err(|error| Answer::failed(403, None, &error.to_string()))?;
        self.token_due = None;
        self.tokens_end = self.grants.next_end(now);
        let credentials =
            Credentials { token: Some(good.token.clone()), certificate: self.certificate.clone() };
        self.devices.renew(|identity| good.bearer.may_act_as(identity), &credentials);
        Ok(())
    }

    /// Settles a request, then answers it (service-protocols.md 3.1 E12).
    fn answer_put(&mut self, put: &PutToken, answer: &Answer) {
        match put.settled {
            true => self.connection.consumed(put.link),
            false => self.connection.settle(put.link, put.delivery, DeliveryState::Accepted),
        }
        self.reply(put.link, &put.request, answer);
    }

    /// Detaches links whose token has ended, and closes a connection that never had one in time.
    pub(super) fn check_deadlines(&mut self) {
        if self.token_due.is_some_and(|due| due <= Instant::now()) {
            self.token_due = None;
            let text = "no token was put in time";
            return self.close_with(Error::new(condition::UNAUTHORIZED_ACCESS, text));
        }
        if self.plain && self.connection.is_open() && !self.grants.any(wall_clock()) {
            let text = "the connection's token has expired";
            return self.close_with(Error::new(condition::UNAUTHORIZED_ACCESS, text));
        }
        if self.redirect_due.is_some_and(|due| due <= Instant::now()) {
            self.redirect_due = None;
            self.redirect_all();
        }
        let now = wall_clock();
        if self.tokens_end.is_some_and(|end| end <= now) {
            self.detach_expired();
            self.tokens_end = self.grants.next_end(now);
        }
    }

    fn detach_expired(&mut self) {
        let allowed = |link: &Link| match link {
            Link::CbsRequests | Link::CbsReplies | Link::Redirected(_) => true,
            Link::ManagementRequests | Link::ManagementReplies { .. } => {
                self.authorize_management().is_ok()
            }
            Link::Receiver(receiver) => self.authorize(&receiver.paths()).is_ok(),
        };
        let expired: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| !allowed(link)).map(|(id, _)| id).collect();
        for link in expired {
            self.detach(link, Error::new(condition::UNAUTHORIZED_ACCESS, "the token has expired"));
        }
        self.expire_services();
        let (grants, now) = (&self.grants, wall_clock());
        let covered = |identity: &_| grants.token_of(identity, now).is_some();
        self.devices.expire(covered, &mut self.connection);
    }
}
