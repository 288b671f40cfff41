"""The demo: a day of a bank's card payments in a minute, an attacker in its evening, and what Tocsin says about it.

Everything is real but the bank: the Kafka protocol (embedded broker), the processes that `tocsin run` starts, the topics a
SIEM would read. `show.py` says what is played, `processes.py` starts what must run, `feed.py` plays, `tail.py` listens,
`measure.py` judges, `view.py` draws, `run.py` is the evening's order.
"""
