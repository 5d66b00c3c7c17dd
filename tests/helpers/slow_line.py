"""A program between two others that lets bytes through late and slowly, as a thin line does.

Usage: python slow_line.py SECONDS BYTES_PER_SECOND COMMAND...
"""

import os
import queue
import subprocess
import sys
import threading
import time

STEP = 4096  # bytes


def carry(source, write, delay, rate):
    """Carry bytes from a file descriptor on."""
    on_the_way = queue.Queue(maxsize=64)  # what does not fit waits with who sends it

    def receive():
        while data := os.read(source, STEP):
            on_the_way.put((time.monotonic() + delay, data))
        on_the_way.put(None)

    threading.Thread(target=receive, daemon=True).start()
    while (item := on_the_way.get()) is not None:
        due, data = item
        time.sleep(max(0.0, due - time.monotonic()))
        time.sleep(len(data) / rate)
        write(data)


def main():
    delay, rate, *command = sys.argv[1:]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    line = float(delay), float(rate)

    def forth():
        carry(0, process.stdin.write, *line)
        process.stdin.close()

    threading.Thread(target=forth, daemon=True).start()
    carry(process.stdout.fileno(), lambda data: os.write(1, data), *line)


if __name__ == "__main__":
    main()
