package tracing

// Write writes to a file of the session's instance.
func (s *Session) Write(file, text string) error { return s.write(file, text) }

// Directory is the session's instance.
func (s *Session) Directory() string { return s.directory }
