"""The interactive lab: a network with its peers that stays up between commands, in a guest or on the host's kernel.

Glossary of this package:

    lab         a network with its peers, by a name; a directory of its own (records.py) says what belongs to it
    record      lab.json in that directory: topology, peers, and the processes by pid and start time
    keeper      the process on the host that owns a lab's guest, or its namespaces, until the lab is down (keeper.py)
    line        a console of the guest that carries all commands at once, as a file descriptor of the keeper
    channel     one command on the line: a stream of bytes each way, with credit (mux.py, no input or output)
    porter      joins the channels of a line to unix sockets: one at each end of it (porter.py)
    server      in the guest, or in the host's namespaces: one connection, one command (server.py)
    bench       what a server works on: a network and the gateways in it (bench.py); what commands do with it stands in
                commands.py (at once) and tasks.py (in a forked child)
    job         what a command runs: a program or a forked child, with its input and output (job.py)
    client      the command line's end of a connection (client.py)

    ikelab exec -> lab's socket -> porter = line = porter -> server's socket -> server -> job        in a guest
    ikelab exec -> lab's socket ----------------------------------------------> server -> job        on the host
"""
