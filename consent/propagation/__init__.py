"""An event on its way to the systems behind the gate, until it has arrived.

``outbox.py`` writes a row for each event and endpoint in the transaction of the event itself;
``attempts.py`` says who may attempt it and what came of that; ``courier.py`` makes one attempt;
``schedule.py`` says when the next is due, ``laws.py`` until when the law wants it to have arrived,
and ``gates.py`` what is refused meanwhile. Who drives them is ``api/dispatch``. Start at
``tables.py``.
"""
