"""What became of C2D messages, through Node's service SDK."""

import threading

from waiting import LIMIT


class Feedback:
    """All feedback records of a hub, by the id of the message they are about."""

    def __init__(self, hub, agent):
        self.name = agent.name("feedback")
        agent.ask("service", client=self.name, transport="amqp", connectionString=hub.service)
        agent.ask("feedback", client=self.name)
        self.inbox = agent.inbox(self.name, "feedback")
        self.agent = agent
        self.found = {}
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            said = self.inbox.items.get()
            if said is None:
                return
            assert said["message"]["contentType"] == "application/vnd.microsoft.iothub.feedback.json", said
            with self.changed:
                for record in said["records"]:
                    self.found.setdefault(record["originalMessageId"], []).append(record)
                self.changed.notify_all()

    def of(self, message_id):
        """The only record about a message."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.found.get(message_id), LIMIT), f"no feedback about {message_id}"
            assert len(self.found[message_id]) == 1, self.found[message_id]
            return self.found[message_id][0]

    def close(self):
        self.agent.ask("serviceClose", client=self.name)
        self.inbox.put(None)
