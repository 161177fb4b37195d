"""``python -m benchmarks.clients``: the zoo's exports in other runtimes, beside onnxruntime of today.

    graphs      what is tried: graphs of a spec as files, with what is given to them, and what onnxruntime makes of it
    worker.py   runs such files in one client; a script for any Python that has numpy and the client
    worker.js   the same for onnxruntime-node
    comparing   starts a client in a process of its own, and says how far it lies from onnxruntime
    telling     the tables of docs/clients.md
    versions    onnxruntime since 1.15, each in an environment that it makes
    halves      what is written in f16, beside the same in f32
    latency     two nets beside PyTorch's exports of them, by timing.py, which runs two files in turns in a client
    quantising  a net in 8 bits
    __main__    the command, which writes the tables of docs/clients.md

What this does not do: install clients. Each is named with the interpreter that has it.
"""
