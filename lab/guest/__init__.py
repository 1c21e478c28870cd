"""The guest: a Linux kernel as an ordinary process, with its own network stack and a clock that can be virtual.

    kernel    a User Mode Linux binary, built once from Debian's newest `linux-source`
    layer     one directory of the image, made from one recipe and named by that recipe's hash:
              `kernel`, `base` (Debian files), `python` (our dependencies)
    image     the layers together; shared read-only by all guests, each guest writes to memory only
    boot      one run of one command in a fresh guest

The files, bottom up: `cache` (where layers live), `mirror` and `apt` (Debian packages without touching the host),
`recipe` (what goes in), `kernel`, `base`, `python_layer` (one builder each), `image` (locate, build, status, clean),
`cpu` and `boot` (run a command), `doctor` (what this machine lacks).
"""
