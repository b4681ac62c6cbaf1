"""The process: settings, wiring, interceptors, jobs, commands, and Envoy's configuration."""
