"""Drawing results and events, for a terminal and for a notebook; nothing else prints."""
