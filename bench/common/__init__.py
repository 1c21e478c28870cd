"""What benchmarks have in common; no benchmark itself."""
