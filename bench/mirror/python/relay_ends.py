"""Both ends of a relay, with the socket buffers of a Kafka broker (socket.send.buffer.bytes and socket.receive.buffer.bytes are
100 KiB by default): one listener sends bytes out of a file, as a broker answers a fetch, the other counts them.

argv: port that sends, port that receives, bytes. Prints `connected`, waits for a line on standard input, and prints
`received` when all have come.
"""

import os
import socket
import sys
import threading

SOCKET_BUFFER_BYTES = 102_400
FILE_BYTES = 16 * 1_024 * 1_024
from_port, to_port, total = map(int, sys.argv[1:4])


def listen(port, option):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    return listener


def send(connection):
    file = os.memfd_create("records")
    os.write(file, os.urandom(FILE_BYTES))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    print("connected", flush=True)
    sys.stdin.readline()
    left = total
    while left > 0:
        at = (total - left) % FILE_BYTES
        left -= os.sendfile(connection.fileno(), file, at, min(left, FILE_BYTES - at))


listeners = [listen(from_port, socket.SO_SNDBUF), listen(to_port, socket.SO_RCVBUF)]
print("listening", flush=True)
receiver, sender = listeners[1].accept()[0], listeners[0].accept()[0]
threading.Thread(target=send, args=(sender,), daemon=True).start()
received, memory = 0, bytearray(SOCKET_BUFFER_BYTES)
while received < total:
    came = receiver.recv_into(memory)
    assert came > 0, "the relay is gone"
    received += came
print("received", flush=True)
