"""The way to a repository for those who cannot reach it, or shall not: read through the deployer, never written to."""
