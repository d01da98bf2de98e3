use ironhub_wire::amqp::performative::{Flow, Performative, SenderSettleMode};
use ironhub_wire::amqp::{Attach, Map, Message, Symbol, Value};

use super::client::{CHANNEL, Client};
use super::hub::{Hub, run};

const ADDRESS: &str = "hub1/ConsumerGroups/$Default/Partitions/0";
const EARLIEST: Option<&str> = Some("amqp.annotation.x-opt-offset > '-1'");

fn sequence(message: &Message) -> i64 {
    let annotations = message.message_annotations().expect("annotations");
    annotations.get("x-opt-sequence-number").and_then(Value::as_integer).expect("a number")
}

/// Number of the first event that a receiver with this selector gets, of ten and one that comes later.
fn check(selector: Option<&'static str>, expected: i64) {
    run(|| async {
        let hub = Hub::new(|_| {});
        (0..10).for_each(|n| hub.events.push(0, &[n]));
        let mut client = hub.connect_owner().await;
        client.attach_with(Client::receiver(2, ADDRESS, selector)).await;
        client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
        client.grant(2, 0, 1).await;
        hub.events.push(0, b"later");
        assert_eq!(sequence(&client.message(2).await), expected, "{selector:?}");
    });
}

#[test]
fn a_receiver_starts_where_it_asked() {
    check(EARLIEST, 0);
    check(None, 10);
    check(Some("amqp.annotation.x-opt-offset > '@latest'"), 10);
    check(Some("amqp.annotation.x-opt-offset > '40'"), 5);
    check(Some("amqp.annotation.x-opt-sequence-number >= '5'"), 5);
    check(Some("amqp.annotation.x-opt-sequence-number > 5"), 6);
    check(Some("amqp.annotation.x-opt-enqueuedtimeutc > 1006"), 7);
}

#[test]
fn every_event_comes_once_in_order_and_settled_as_far_as_credit_goes() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let count = 5000;
        (0..count).for_each(|n: u32| hub.events.push(0, &n.to_be_bytes()));
        let mut client = hub.connect_owner().await;
        client.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        let (answer, _) =
            client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
        let Performative::Attach(answer) = answer else { panic!("an attach") };
        assert_eq!(answer.snd_settle_mode, Some(SenderSettleMode::Settled));
        assert_eq!(answer.initial_delivery_count, Some(0));
        assert!(
            answer.source.is_some_and(|source| source.filter.is_some()),
            "the filter is echoed"
        );
        let mut taken = 0;
        while taken < count {
            client.grant(2, taken, 333).await;
            for n in taken..count.min(taken + 333) {
                let read = client.expect(|p| matches!(p, Performative::Transfer(_))).await;
                let Performative::Transfer(transfer) = read.0 else { panic!("a transfer") };
                assert_eq!(transfer.settled, Some(true));
                assert_eq!(sequence(&Message::split(&read.1).expect("splits")), i64::from(n));
            }
            taken += 333;
        }
    });
}

#[test]
fn a_waiting_receiver_is_woken_by_each_event() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_owner().await;
        client.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        client.grant(2, 0, 1000).await;
        for n in 0..100 {
            hub.events.push(0, b"x");
            assert_eq!(sequence(&client.message(2).await), n);
        }
    });
}

#[test]
fn a_receiver_without_credit_reads_nothing_and_one_that_does_not_read_little() {
    run(|| async {
        let hub = Hub::new(|_| {});
        for _ in 0..500 {
            hub.events.push(0, &[0; 10_000]);
        }
        let mut idle = hub.connect_owner().await;
        idle.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        idle.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
        // A token's answer shows that the connection had its turns.
        assert_eq!(idle.put_token(super::hub::HOST, "service", 60).await, 200);
        assert_eq!(*hub.events.reads.lock(), 0);

        // All credit there is, on a stream that holds little and that nobody reads.
        let mut deaf = Client::new(hub.stream(8192));
        deaf.open().await;
        deaf.open_cbs().await;
        assert_eq!(deaf.put_token(super::hub::HOST, "service", 60).await, 200);
        deaf.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        deaf.grant(2, 0, 1_000_000).await;
        let mut bystander = hub.connect_owner().await;
        bystander.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        bystander.grant(2, 0, 500).await;
        for n in 0..500 {
            assert_eq!(sequence(&bystander.message(2).await), n);
        }
        let bystanders = 500 * 10_000 / (3 * 10_000);
        let reads = *hub.events.reads.lock();
        assert!(reads < bystanders + 20, "{reads} reads: the deaf one reads on");
        // When it reads at last, nothing is missing.
        for n in 0..500 {
            assert_eq!(sequence(&deaf.message(2).await), n);
        }
    });
}

#[test]
fn large_events_are_cut_to_the_clients_frames() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.events.push(0, &[7; 200_000]);
        let mut client = Client::new(hub.stream(65536));
        client.raw(&ironhub_wire::amqp::frame::AMQP_HEADER).await;
        let open = ironhub_wire::amqp::Open { max_frame_size: Some(4096), ..Default::default() };
        client.write(0, Performative::Open(Box::new(open)), b"").await;
        client.header().await;
        let begin = ironhub_wire::amqp::performative::Begin {
            incoming_window: 3,
            outgoing_window: 9,
            ..Default::default()
        };
        client.write(CHANNEL, Performative::Begin(Box::new(begin)), b"").await;
        client.open_cbs().await;
        assert_eq!(client.put_token(super::hub::HOST, "service", 60).await, 200);
        client.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        client.grant(2, 0, 1).await;
        let (mut bytes, mut transfers) = (Vec::new(), 0);
        loop {
            let read =
                client.expect(|p| matches!(p, Performative::Transfer(t) if t.handle == 2)).await;
            let Performative::Transfer(transfer) = read.0 else { panic!("a transfer") };
            assert!(read.1.len() < 4096);
            bytes.extend_from_slice(&read.1);
            transfers += 1;
            if !transfer.more {
                break;
            }
        }
        assert!(transfers > 48, "{transfers}");
        let message = Message::split(&bytes.into()).expect("splits");
        assert_eq!(message.body().bytes().expect("data").len(), 200_000);
    });
}

#[test]
fn runtime_metrics_come_only_when_asked_for() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.events.push(0, b"x");
        hub.events.push(0, b"y");
        let mut client = hub.connect_owner().await;
        let metric = Symbol::from_static("com.microsoft:enable-receiver-runtime-metric");
        let georeplication = Symbol::from_static("com.microsoft:georeplication");
        for (handle, wanted) in [(2, vec![metric.clone(), georeplication]), (3, vec![])] {
            let asked = Client::receiver(handle, ADDRESS, EARLIEST);
            client.attach_with(Attach { desired_capabilities: wanted.clone(), ..asked }).await;
            let (answer, _) =
                client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == handle)).await;
            let Performative::Attach(answer) = answer else { panic!("an attach") };
            client.grant(handle, 0, 1).await;
            let annotations = client.message(handle).await.delivery_annotations().expect("map");
            if wanted.is_empty() {
                assert_eq!((answer.offered_capabilities.len(), annotations.0.len()), (0, 0));
            } else {
                assert_eq!(answer.offered_capabilities, std::slice::from_ref(&metric));
                let last = annotations.get("last_enqueued_sequence_number");
                assert_eq!(last, Some(&Value::Long(1)));
            }
        }
    });
}

#[test]
fn a_higher_epoch_detaches_the_owner_and_a_place_is_free_when_its_client_is_gone() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let epoch = |n| Attach {
            properties: Some(Map::default().with("com.microsoft:epoch", Value::Long(n))),
            ..Client::receiver(2, ADDRESS, EARLIEST)
        };
        let stolen = ("detach", "amqp:link:stolen".to_owned());
        let mut first = hub.connect_owner().await;
        first.attach_with(epoch(1)).await;
        first.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
        let mut second = hub.connect_owner().await;
        second.attach_with(epoch(2)).await;
        assert_eq!(first.fault().await, stolen);
        let mut third = hub.connect_owner().await;
        third.attach_with(epoch(1)).await;
        assert_eq!(third.fault().await, stolen);
        drop(second);
        // The stream's end is seen at the next turn of its connection.
        loop {
            let mut fourth = hub.connect_owner().await;
            fourth.attach_with(epoch(0)).await;
            fourth.grant(2, 0, 1).await;
            hub.events.push(0, b"x");
            let (read, _) = fourth
                .expect(|p| matches!(p, Performative::Detach(_) | Performative::Transfer(_)))
                .await;
            // Answers of `$cbs` came before.
            if matches!(read, Performative::Transfer(_)) {
                break;
            }
        }
    });
}

#[test]
fn draining_ends_with_the_credit_returned() {
    run(|| async {
        let hub = Hub::new(|_| {});
        (0..3).for_each(|n| hub.events.push(0, &[n]));
        let mut client = hub.connect_owner().await;
        client.attach_with(Client::receiver(2, ADDRESS, EARLIEST)).await;
        let drain = Flow {
            next_incoming_id: Some(0),
            incoming_window: 1000,
            handle: Some(2),
            delivery_count: Some(0),
            link_credit: Some(10),
            drain: true,
            ..Flow::default()
        };
        client.write(CHANNEL, Performative::Flow(drain), b"").await;
        for n in 0..3 {
            assert_eq!(sequence(&client.message(2).await), n);
        }
        let (flow, _) =
            client.expect(|p| matches!(p, Performative::Flow(f) if f.handle == Some(2))).await;
        let Performative::Flow(flow) = flow else { panic!("a flow") };
        assert_eq!((flow.delivery_count, flow.link_credit), (Some(10), Some(0)));
    });
}

#[test]
fn the_hubs_own_path_is_served_and_a_stopping_hub_closes() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.events.push(0, b"x");
        let mut client = hub.connect_owner().await;
        let address = "messages/events/ConsumerGroups/$default/Partitions/0";
        client.attach_with(Client::receiver(2, address, EARLIEST)).await;
        client.grant(2, 0, 10).await;
        assert_eq!(sequence(&client.message(2).await), 0);
        hub.drain.send(true).expect("the hub listens");
        assert_eq!(client.fault().await, ("close", "amqp:connection:forced".to_owned()));
    });
}
