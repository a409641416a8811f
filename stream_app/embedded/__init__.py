"""The whole system on one machine: real servers as child processes under one data directory."""
