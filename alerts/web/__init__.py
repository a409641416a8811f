"""The feed: pages, API and live push over the alert store."""
