"""Order of arrival, batches, workers, repetition and restarts: none of them may change an alert."""
