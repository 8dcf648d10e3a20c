package demo

import "syscall"

// apart keeps a Ctrl-C in the console from reaching the service and the bots.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
