"""``python -m stream_app`` is ``fundwatch``."""

from stream_app.cli import main

main()
