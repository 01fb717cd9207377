"""The catalogue: one file an application. Each is found through its entry point, as anybody else's would be."""
