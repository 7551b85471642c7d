"""Everything said over SSH, and what is sent to the machines."""
