"""What came of it, as pure values that can be saved, loaded and shown: plan, report, status, verdict."""
