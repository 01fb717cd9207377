"""The pages of the panel, one a module. Each looks at files and starts runs; none changes anything by itself."""
