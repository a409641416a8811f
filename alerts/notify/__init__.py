"""Messages to those who are not at the desk: what is told to whom, when, and what became of it.

Leads are told of as they stand in the store, so that nothing here can hold up a detector, the keeper or the feed:
``queue`` reads on in alert_event and writes down what is to be sent, ``delivery`` sends it, each target by itself.
"""
