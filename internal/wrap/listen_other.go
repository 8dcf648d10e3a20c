//go:build !linux

package wrap

// listens cannot tell here: Options.ReadyAfter decides.
func listens(int) (up, known bool) { return false, false }
