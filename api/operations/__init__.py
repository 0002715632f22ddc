"""One file a thing the service does: functions of a connection, called in the writer's turn."""
