"""What is planted in the city: frauds, and honest situations that look like them, each told by one function."""
