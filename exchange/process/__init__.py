"""What every process is made of: settings, frame, components, lines of log, patience."""
