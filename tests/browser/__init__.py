"""The feed in Chromium, as its readers see it."""

from playwright.sync_api import expect

expect.set_options(timeout=20_000)  # ms; a busy machine takes its time
