"""What all of the emulator stands on: messages, clock, durations, schemas, and the store."""
