"""The engine on another computer, reached by the user's own OpenSSH.

It may import `options`, `model`, `images`, `system` and the rest of `engine` but its jobs.
Here, `RemoteProcess` stands in for the engine process; there, ``bridge`` carries bytes between SSH
and the ``attendant``, which outlives a lost connection and runs the same engine process as here.
"""
