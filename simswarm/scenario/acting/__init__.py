"""What makes things happen in a run: formation, timeline, operators' and faults' actions."""
