//! How often and when something is sent to a webhook. Pure.

use std::time::Duration;

use ironhub_domain::routing::Webhook;

/// Most events of one request.
pub(super) const EVENTS_MAX: usize = 100;
/// A server that asks for a longer pause than this is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// How often an event is sent alone to a server that refuses it for what it is: another time changes nothing.
const ALONE_MAX: u64 = 3;

/// What a server said to a request, or why it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words.
    pub(super) why: String,
    /// It is about what was sent, not about the server: less of it may pass.
    pub(super) is_refusal: bool,
    /// It is about the content: sent again, that will be refused again.
    pub(super) is_final: bool,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// No answer.
    pub(super) fn silent(why: String) -> Self {
        Self { why, is_refusal: false, is_final: false, retry_after: None }
    }

    /// An answer that is no success; `retry_after` is the header's text.
    pub(super) fn status(status: u16, retry_after: Option<&str>) -> Self {
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        Self {
            why: format!("HTTP status {status}"),
            is_refusal: (400..500).contains(&status) && !matches!(status, 408 | 429),
            is_final: matches!(status, 400 | 413 | 415 | 422),
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

/// The attempts for the events at the front of a log.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    /// How many events go into the next request at most.
    size: usize,
    made: u64,
    /// Of these, of one event alone that was refused for what it is.
    alone: u64,
}

/// What to do after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send again after this.
    Retry(Duration),
    /// What was sent has had all its attempts: so many.
    GiveUp(u64),
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { size: EVENTS_MAX, made: 0, alone: 0 }
    }

    /// How many events to send at most.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What was sent was taken: more may go at once again.
    pub(super) fn succeeded(&mut self) {
        (self.made, self.alone) = (0, 0);
        self.size = (self.size * 2).min(EVENTS_MAX);
    }

    /// A request of `sent` events failed. One that was refused is halved, so that in the end only what the server does not want
    /// is given up; all that is left of it was in every attempt before. `jitter` is from 0 to 1 and takes up to half off the
    /// pause.
    pub(super) fn failed(
        &mut self,
        webhook: &Webhook,
        failure: &Failure,
        sent: usize,
        jitter: f64,
    ) -> Next {
        self.made += 1;
        self.alone += u64::from(failure.is_final && sent == 1);
        if self.made >= webhook.attempts || self.alone >= ALONE_MAX {
            let made = self.made;
            (self.made, self.alone) = (0, 0);
            return Next::GiveUp(made);
        }
        if failure.is_refusal {
            self.size = (sent / 2).max(1);
        }
        let doublings = u32::try_from(self.made - 1).unwrap_or(u32::MAX).min(32);
        let seconds = webhook.pause_seconds.saturating_mul(1 << doublings);
        let pause = Duration::from_secs(seconds.min(webhook.pause_seconds_max));
        let pause = pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0);
        let wanted = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Next::Retry(pause.max(wanted))
    }
}

#[cfg(test)]
mod tests {
    use ironhub_domain::routing::EndpointKind;

    use super::*;

    fn webhook(attempts: u64) -> Webhook {
        Webhook {
            url: "http://x.test/".into(),
            secret: "0123456789abcdef".into(),
            timeout_seconds: 1,
            attempts,
            pause_seconds: 2,
            pause_seconds_max: 10,
            dead_letters: None,
        }
    }

    fn seconds(next: Next) -> f64 {
        match next {
            Next::Retry(pause) => pause.as_secs_f64(),
            Next::GiveUp(made) => -(made as f64),
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_it_is_given_up() {
        let (mut attempts, webhook) = (Attempts::new(), webhook(6));
        let down = Failure::silent("down".into());
        let pauses: Vec<f64> =
            (0..7).map(|_| seconds(attempts.failed(&webhook, &down, 9, 0.0))).collect();
        assert_eq!(pauses, [2.0, 4.0, 8.0, 10.0, 10.0, -6.0, 2.0]);
        assert_eq!(attempts.size(), EVENTS_MAX, "a server that is down refuses nothing");
    }

    #[test]
    fn jitter_takes_up_to_half_and_the_server_may_ask_for_more() {
        let webhook = webhook(9);
        let check = |failure: Failure, jitter: f64, expected: f64| {
            let next = Attempts::new().failed(&webhook, &failure, 1, jitter);
            assert_eq!(seconds(next), expected, "{failure:?} {jitter}");
        };
        check(Failure::status(503, None), 1.0, 1.0);
        check(Failure::status(503, None), 0.5, 1.5);
        check(Failure::status(503, Some("7")), 1.0, 7.0);
        check(Failure::status(429, Some("999999")), 1.0, 3600.0);
        check(Failure::status(429, Some("Wed, 21 Oct 2026 07:28:00 GMT")), 0.0, 2.0);
    }

    #[test]
    fn what_is_refused_is_halved_until_it_is_one_and_grows_again() {
        let (mut attempts, webhook) = (Attempts::new(), webhook(100));
        for expected in [50, 25, 12, 6, 3, 1, 1, 1] {
            let refused = Failure::status(400, None);
            let next = attempts.failed(&webhook, &refused, attempts.size(), 0.0);
            assert!(matches!(next, Next::Retry(_)), "{next:?}");
            assert_eq!(attempts.size(), expected);
        }
        for expected in [2, 4, 8, 16, 32, 64, 100] {
            attempts.succeeded();
            assert_eq!((attempts.size(), attempts.made), (expected, 0));
        }
        for (status, is_refusal) in [
            (400, true),
            (404, true),
            (413, true),
            (408, false),
            (429, false),
            (500, false),
            (302, false),
        ] {
            assert_eq!(Failure::status(status, None).is_refusal, is_refusal, "{status}");
        }
    }

    #[test]
    fn what_is_refused_for_what_it_is_has_three_attempts_alone() {
        let webhook = webhook(100);
        let check = |status: u16, sent: usize, given_up_at: Option<u64>| {
            let mut attempts = Attempts::new();
            let failure = Failure::status(status, None);
            let given_up =
                (1..=20).find_map(|_| match attempts.failed(&webhook, &failure, sent, 0.0) {
                    Next::GiveUp(made) => Some(made),
                    Next::Retry(_) => None,
                });
            assert_eq!(given_up, given_up_at, "{status} {sent}");
        };
        for status in [400, 413, 415, 422] {
            check(status, 1, Some(3));
            check(status, 2, None);
        }
        // A key or a path that is wrong today may be right tomorrow, and a server that is down comes back.
        for status in [401, 403, 404, 408, 410, 429, 500, 503] {
            check(status, 1, None);
        }
        let mut attempts = Attempts::new();
        let refused = Failure::status(400, None);
        for _ in 0..2 {
            assert!(matches!(attempts.failed(&webhook, &refused, 1, 0.0), Next::Retry(_)));
        }
        attempts.succeeded();
        assert!(matches!(attempts.failed(&webhook, &refused, 1, 0.0), Next::Retry(_)));
    }

    #[test]
    fn by_default_events_that_nobody_takes_are_held_for_less_than_an_hour() {
        let document = br#"{"endpoints":{"webhooks":[
            {"name":"hook","url":"http://x.test/","secret":"0123456789abcdef"}]}}"#;
        let routing = ironhub_domain::routing::Routing::parse(document).unwrap();
        let EndpointKind::Webhook(webhook) = &routing.endpoints[0].kind else { panic!() };
        let mut attempts = Attempts::new();
        let down = Failure::silent("down".into());
        let mut held = Duration::from_secs(webhook.timeout_seconds);
        while let Next::Retry(pause) = attempts.failed(webhook, &down, 1, 0.0) {
            held += pause + Duration::from_secs(webhook.timeout_seconds);
        }
        assert!((1800..3600).contains(&held.as_secs()), "{held:?}");
    }
}
