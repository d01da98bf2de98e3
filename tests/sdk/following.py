"""All events of a hub as they come: one set of receivers for a whole file of tests."""

from eventhub import Receiver, last_numbers
from waiting import until


class Following:
    """Receivers of every partition from its beginning."""

    def __init__(self, hub):
        self.receivers = [Receiver(hub, partition) for partition in last_numbers(hub)]

    def of(self, device_id, count):
        """The device's events in the order of the log, as soon as there are `count`."""

        def found():
            for receiver in self.receivers:
                assert not receiver.errors, receiver.errors
            everything = [event for receiver in self.receivers for event in list(receiver.events)]
            return [event for event in everything if event["device"] == device_id]

        until(lambda: len(found()) >= count, lambda: f"{count} events of {device_id}; there are {len(found())}")
        events = found()
        assert len({event["partition"] for event in events}) <= 1, f"{device_id} has events in several partitions"
        return events

    def close(self):
        for receiver in self.receivers:
            receiver.close()
