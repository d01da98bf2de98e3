//! One thread's beat: when its publishers start, what is due, when they stop, and what they measured.
//!
//! All publishers of a thread share one conductor and never leave the thread, so it is made of cells.
//!
//! ```text
//! Waiting --begin--> Running --stop--> Draining --abandon--> Abandoned
//! ```
//!
//! Closed loop: a message is sent when its device's window has room, and timed from that instant. Open
//! loop: message `n` of the thread is due at `n / rate`, rounded up to the timer's grain, belongs to the
//! device `n` modulo the devices, and is timed from when it was due, however late it leaves: a slow
//! broker cannot slow the clock down (no coordinated omission).

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::report::{Errors, Latencies};

/// Bytes read from a socket at a time; one buffer per thread.
const READ_BYTES: usize = 64 * 1024;
/// Finest beat of the open loop; finer rates release several messages a beat.
const GRAIN_MIN: Duration = Duration::from_micros(200);
/// Coarsest beat, so that stopping is seen soon.
const GRAIN_MAX: Duration = Duration::from_millis(10);

/// What a thread shows to the one that watches it. Only its own thread writes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Devices whose first connection succeeded or failed.
    pub tried: AtomicUsize,
    /// Devices whose first connection succeeded.
    pub connected: AtomicUsize,
    /// Messages acknowledged, at QoS 0 written.
    pub acked: AtomicU64,
}

/// When the measured window lies, in nanoseconds from `epoch`.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The start.
    pub epoch: Instant,
    /// Messages due before are warm-up.
    pub from: u64,
    /// Messages due at or after are not measured.
    pub until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum State {
    Waiting,
    Running,
    Draining,
    Abandoned,
}

/// See the module's head.
pub struct Conductor {
    state: Cell<State>,
    schedule: Cell<Schedule>,
    /// Messages per second of this thread; absent in a closed loop.
    rate: Option<f64>,
    due: Cell<u64>,
    taken: Cell<u64>,
    /// One place per joined device.
    wakers: RefCell<Vec<Option<Waker>>>,
    latencies: RefCell<Latencies>,
    errors: RefCell<Errors>,
    last_ack: Cell<u64>,
    tally: Arc<Tally>,
    /// Lent to whichever publisher is reading.
    pub scratch: RefCell<Box<[u8]>>,
}

impl Conductor {
    /// Waiting, without devices.
    pub fn new(rate: Option<f64>, tally: Arc<Tally>) -> Self {
        Self {
            state: Cell::new(State::Waiting),
            schedule: Cell::new(Schedule { epoch: Instant::now(), from: 0, until: 0 }),
            rate,
            due: Cell::new(0),
            taken: Cell::new(0),
            wakers: RefCell::default(),
            latencies: RefCell::new(Latencies::new()),
            errors: RefCell::default(),
            last_ack: Cell::new(0),
            tally,
            scratch: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
        }
    }

    /// A place for one more device. Only before [`Self::begin`]: places share the rate.
    pub fn join(&self) -> usize {
        let mut wakers = self.wakers.borrow_mut();
        wakers.push(None);
        wakers.len() - 1
    }

    /// Starts the publishers.
    pub fn begin(&self, schedule: Schedule) {
        self.schedule.set(schedule);
        self.enter(State::Running);
    }

    /// Nothing more becomes due; publishers wait for what is in flight.
    pub fn stop(&self) {
        self.enter(State::Draining);
    }

    /// Publishers do not wait any longer either.
    pub fn abandon(&self) {
        self.enter(State::Abandoned);
    }

    fn enter(&self, state: State) {
        if state > self.state.get() {
            self.state.set(state);
            self.wakers.borrow().iter().flatten().for_each(Waker::wake_by_ref);
        }
    }

    /// True from [`Self::stop`] on.
    pub fn is_stopping(&self) -> bool {
        self.state.get() >= State::Draining
    }

    /// True from [`Self::abandon`] on.
    pub fn is_abandoned(&self) -> bool {
        self.state.get() == State::Abandoned
    }

    /// Ready once begun or stopped; registers for every later change.
    pub fn poll_begun(&self, place: usize, cx: &Context<'_>) -> Poll<()> {
        let slot = &mut self.wakers.borrow_mut()[place];
        if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *slot = Some(cx.waker().clone());
        }
        if self.state.get() == State::Waiting { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        nanoseconds(self.schedule.get().epoch.elapsed())
    }

    /// How many messages the device at `place`, which took `taken` so far, may take now.
    pub fn allowance(&self, place: usize, taken: u64) -> u64 {
        match self.rate {
            None if self.is_stopping() => 0,
            None => u64::MAX,
            Some(_) if self.is_abandoned() => 0,
            // What was due before the stop is still sent and timed, or the worst would go unseen.
            Some(_) => share(self.due.get(), place, self.places()).saturating_sub(taken),
        }
    }

    /// When message number `index` of the device at `place` counts as sent.
    pub fn sent_at(&self, place: usize, index: u64, now: u64) -> u64 {
        match self.rate {
            None => now,
            Some(rate) => due_at(index * self.places() as u64 + place as u64, rate),
        }
    }

    /// Counts messages that a device took to send.
    pub fn took(&self, count: u64) {
        self.taken.set(self.taken.get() + count);
    }

    fn places(&self) -> usize {
        self.wakers.borrow().len()
    }

    /// Length of a beat, in an open loop.
    pub fn grain(&self) -> Option<Duration> {
        self.rate.map(grain)
    }

    /// Makes due what the clock says and wakes its devices.
    pub fn beat(&self) {
        let (Some(rate), places) = (self.rate, self.places() as u64) else { return };
        if self.state.get() != State::Running || places == 0 {
            return;
        }
        let (before, now) = (self.due.get(), self.now());
        let mut due = before.max((now as f64 / 1e9 * rate) as u64);
        // The division is only a first guess; `due_at` decides.
        while due > before && due_at(due - 1, rate) > now {
            due -= 1;
        }
        while due_at(due, rate) <= now {
            due += 1;
        }
        self.due.set(due);
        let wakers = self.wakers.borrow();
        for message in before..due.min(before + places) {
            if let Some(waker) = &wakers[(message % places) as usize] {
                waker.wake_by_ref();
            }
        }
    }

    /// Counts `count` acknowledged messages that count as sent at `sent` nanoseconds.
    pub fn measure(&self, sent: u64, now: u64, count: u64) {
        let schedule = self.schedule.get();
        if sent >= schedule.from && sent < schedule.until {
            self.latencies.borrow_mut().add(now.saturating_sub(sent), count);
        }
    }

    /// Counts finished messages, whenever they were sent.
    pub fn finished(&self, now: u64, count: u64) {
        self.last_ack.set(now);
        let acked = &self.tally.acked;
        acked.store(acked.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// Counts errors.
    pub fn failed(&self, kind: String, count: u64) {
        self.errors.borrow_mut().add(kind, count);
    }

    /// What this thread measured.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            latencies: self.latencies.borrow().clone(),
            errors: self.errors.borrow().clone(),
            unsent: self.due.get().saturating_sub(self.taken.get()),
            last_ack: self.last_ack.get(),
        }
    }
}

/// What a thread measured.
pub struct Outcome {
    /// Of messages sent, or due, in the measured window.
    pub latencies: Latencies,
    /// Of the whole run.
    pub errors: Errors,
    /// Open loop: due and never sent, even in the time given after the end.
    pub unsent: u64,
    /// Nanoseconds from the start to the last acknowledgement.
    pub last_ack: u64,
}

/// Saturating conversion.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn grain(rate: f64) -> Duration {
    let period = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(GRAIN_MAX);
    period.clamp(GRAIN_MIN, GRAIN_MAX)
}

/// When message `number` is due, in nanoseconds: on its time, or the first beat after it.
fn due_at(number: u64, rate: f64) -> u64 {
    let grain = nanoseconds(grain(rate));
    ((number as f64 / rate * 1e9) as u64).div_ceil(grain) * grain
}

/// How many of the first `due` messages belong to `place`, when they go round `places`.
fn share(due: u64, place: usize, places: usize) -> u64 {
    due.saturating_sub(place as u64).div_ceil(places.max(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_round_and_add_up() {
        for due in 0..50u64 {
            let shares: Vec<u64> = (0..7).map(|place| share(due, place, 7)).collect();
            assert_eq!(shares.iter().sum::<u64>(), due);
            assert!(shares.is_sorted_by(|earlier, later| earlier >= later), "{shares:?}");
            assert!(shares[0] - shares[6] <= 1, "{shares:?}");
        }
    }

    #[test]
    fn messages_are_due_in_order_never_early_and_at_most_a_beat_late() {
        for rate in [0.5, 3.0, 99.0, 5_000.0, 123_456.0] {
            let beat = nanoseconds(grain(rate)) as f64;
            let mut last = 0;
            for number in 0..1_000u64 {
                let (exact, due) = (number as f64 / rate * 1e9, due_at(number, rate));
                assert!(due as f64 >= exact - 1.0, "{rate} {number}");
                assert!((due as f64) < exact + beat + 1.0, "{rate} {number}");
                assert!(due >= last, "{rate} {number}");
                last = due;
            }
        }
    }

    #[test]
    fn an_open_loop_times_from_the_due_instant_and_reports_what_was_not_sent() {
        let conductor = Conductor::new(Some(1_000.0), Arc::default());
        let places = [conductor.join(), conductor.join()];
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        conductor.begin(Schedule { epoch: past, from: 0, until: u64::MAX });
        assert_eq!(conductor.allowance(places[0], 0), 0, "nothing is due before a beat");
        conductor.beat();
        let allowed = conductor.allowance(places[0], 0);
        assert!(allowed >= 500, "{allowed}");
        // The third message of the second device is number 5 of all: due 5 ms after the start.
        assert_eq!(conductor.sent_at(places[1], 2, 999_999_999), 5_000_000);
        conductor.took(400);
        conductor.stop();
        conductor.beat();
        assert_eq!(
            conductor.allowance(places[0], 0),
            allowed,
            "due before the stop, so still sent"
        );
        conductor.abandon();
        assert_eq!(conductor.allowance(places[0], 0), 0);
        let outcome = conductor.outcome();
        assert!(outcome.unsent >= 600, "{}", outcome.unsent);
    }

    #[test]
    fn only_messages_of_the_measured_window_are_timed_but_all_are_counted() {
        let tally = Arc::new(Tally::default());
        let conductor = Conductor::new(None, tally.clone());
        conductor.begin(Schedule { epoch: Instant::now(), from: 100, until: 200 });
        for sent in [99, 100, 199, 200] {
            conductor.measure(sent, 5_000_000, 1);
            conductor.finished(5_000_000, 1);
        }
        let outcome = conductor.outcome();
        assert_eq!(outcome.latencies.summary().unwrap().messages, 2);
        assert_eq!(outcome.last_ack, 5_000_000);
        assert_eq!(tally.acked.load(Ordering::Relaxed), 4);
        assert_eq!(outcome.unsent, 0);
    }
}
