//go:build unix

package demo

import "syscall"

// apart keeps a Ctrl-C in the terminal from reaching the service and the bots:
// the demo stops them itself, in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
