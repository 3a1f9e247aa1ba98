"""The tuner of haline's schedules (docs/tuning.md)."""
