"""The process around an endpoint: sockets, clock, randomness, signals, files and a control socket.

turn        one pass of the loop: wait, read what is readable, do what is due; nothing else wakes the process
journal     daemon.log, events.jsonl and keys.jsonl in the run directory, flushed line by line
control     a unix socket that takes commands as JSON lines
wait        a command whose answer comes later: `initiate` answers when the child is up or has failed
"""
