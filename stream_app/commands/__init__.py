"""One module for each family of commands; ``stream_app.cli`` loads them when they are called."""
