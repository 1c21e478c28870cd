"""What holds for all tests."""

import signal

# A shell without job control starts background commands with SIGINT ignored, and every child inherits that. Tests of
# Ctrl-C must not depend on how they were started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
