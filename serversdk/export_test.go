package serversdk

// OnExit has f called instead of os.Exit.
func (s *Server) OnExit(f func(code int)) { s.exit = f }
