"""One file for each thing the service does: functions of a connection, called in the writer's turn."""
